"""What has changed in Rucio, and telling it about damage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import batched
from typing import Any

from dpps.adapters.rucio.errors import catalogue_errors
from dpps.data.audit.records import CopyKey
from dpps.domain.errors import Unavailable

__all__ = ["RucioBadCopies", "RucioChanges"]

_CHUNK = 500
_TIME = "%a, %d %b %Y %H:%M:%S UTC"
"""How Rucio reads times in queries (RFC 1123)."""
_KNOWN = "already declared"
"""What Rucio says of a copy that it knows to be bad."""


class RucioChanges:
    """Changes of rules: attaching files to a dataset changes its rules.

    Parameters
    ----------
    client : rucio.client.Client
        A connected client.
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    def datasets_changed_since(self, at: datetime) -> Iterator[str]:
        """Yield datasets whose rules changed."""
        since = at.astimezone(UTC).strftime(_TIME)
        with catalogue_errors("list the rules that changed"):
            for rule in self._client.list_replication_rules({"updated_after": since}):
                if rule["did_type"] == "DATASET":
                    yield rule["name"]


class RucioBadCopies:
    """Declares copies bad; Rucio's necromancer replaces them.

    Parameters
    ----------
    client : rucio.client.Client
        A connected client.
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    def declare_bad(self, copies: Sequence[CopyKey], reason: str) -> None:
        """Have copies replaced from good ones."""
        for chunk in batched(copies, _CHUNK):
            replicas = [{"scope": one.lfn.scope, "name": one.lfn.name, "rse": one.rse} for one in chunk]
            with catalogue_errors(f"declare {len(replicas)} copies bad"):
                refused = self._client.declare_bad_file_replicas(replicas, reason)
            told = [text for texts in refused.values() for text in texts if _KNOWN not in text.casefold()]
            if told:
                raise Unavailable(
                    f"the catalogue did not take {told[0]} as bad",
                    code="catalogue-refused-bad",
                    next_step="look at the file's copies: dpps data info",
                )
