"""Names that the archive does not know are answered, however short they are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from dpps.adapters.memory.catalogue import MemoryCatalogue
from dpps.data.why.observations import Refusal
from dpps.data.why.observing import WhyParts, why
from dpps.domain.principals import Principal, Role

READER = Principal(name="bob", roles=frozenset({Role.READER}))


class NothingRefused:
    """An ingest service that took everything."""

    def refusals(self) -> Sequence[Refusal]:
        """Return nothing."""
        return ()


@pytest.mark.parametrize("name", ["/ctao/nope/x", "/ctao/acada/DL0/x"])
def test_an_unknown_name_is_said_to_be_unknown(name: str) -> None:
    nobody = cast("Any", None)  # nothing else is asked about a file that is not there
    parts = WhyParts(
        catalogue=MemoryCatalogue([]),
        copies=nobody,
        requests=nobody,
        sites=nobody,
        handover=NothingRefused(),
        policy=nobody,
        evidence=nobody,
        findings=nobody,
        gate=nobody,
        clock=lambda: datetime(2026, 2, 14, 22, tzinfo=UTC),
    )
    explained = why(READER, parts, name)
    assert [one.code for one in explained.findings] == ["file-unknown"]
    assert not explained.known
