"""What is not known because a service did not answer: pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from dpps.data.why.findings import Finding, Weight
from dpps.data.why.observations import Silence

__all__ = ["explain_silences"]

_NOT_KNOWN: Final[Mapping[str, str]] = {
    "ingest": "the ingest service does not answer: what waits in the hand-over folder is not known",
    "transfers": "the transfer service does not answer: how far transfers are, and what rests or is banned "
    "there, is not known",
}


def explain_silences(silences: Iterable[Silence]) -> Iterator[Finding]:
    """Yield what is not known, and where to look."""
    for one in silences:
        yield Finding(
            code=f"{one.service}-silent",
            # What is in the archive does not wait for the ingest service.
            weight=Weight.NOTE if one.service == "ingest" else Weight.BLOCKS,
            fact=_NOT_KNOWN[one.service],
            cause=one.reason,
            next=f"look at it, then ask again: dpps status; dpps logs {one.service}",
        )
