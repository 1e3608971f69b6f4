"""Reports of damaged copies, to a catalogue that does not take all of them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from dpps.adapters.rucio.suspicions import RucioDamageReports
from dpps.data.retrieval.reports import DamagedCopy
from dpps.domain.errors import NotFound
from dpps.domain.names import Lfn


class _Client:
    """Takes what is at CSCS."""

    def __init__(self) -> None:
        self.taken: list[str] = []

    def declare_suspicious_file_replicas(self, pfns: Sequence[str], reason: str) -> dict[str, list[str]]:
        assert reason
        self.taken += [pfn for pfn in pfns if "CSCS" in pfn]
        return {"MOCK": [f"{pfn} Unknown replica" for pfn in pfns if "CSCS" not in pfn]}


def _copy(rse: str, reason: str) -> DamagedCopy:
    lfn = Lfn(f"/ctao/acada/DL0/{reason}")
    return DamagedCopy(lfn=lfn, rse=rse, pfn=f"https://{rse}{lfn}", reason=reason)


def test_one_refusal_does_not_keep_the_others_from_being_declared() -> None:
    client = _Client()
    with pytest.raises(NotFound) as refused:
        RucioDamageReports(client).suspect([_copy("PIC", "a"), _copy("CSCS", "b"), _copy("PIC", "c")])
    assert client.taken == ["https://CSCS/ctao/acada/DL0/b"]
    error = refused.value.as_dict()
    assert error["identifiers"] == {"lfn": "/ctao/acada/DL0/a", "rse": "PIC", "copies": "2"}
    assert "/ctao/acada/DL0/a" in str(error["message"])
    assert "dpps data info /ctao/acada/DL0/a" in str(error["next_step"])
