"""Damaged copies that readers met, declared suspicious in Rucio."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from dpps.adapters.rucio.errors import catalogue_errors
from dpps.data.retrieval.reports import DamagedCopy
from dpps.domain.errors import NotFound

__all__ = ["RucioDamageReports"]

_REASON_MAX = 250


class RucioDamageReports:
    """Implements ``DamageReports``; Rucio's own daemons and our audit look at what is suspicious.

    Parameters
    ----------
    client : rucio.client.Client
        A connected client of an account that may declare copies.
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    def suspect(self, copies: Sequence[DamagedCopy]) -> None:
        """Declare copies suspicious.

        Raises
        ------
        NotFound
            When the catalogue knows some of the copies not; the others are declared.
        """
        by_reason: dict[str, list[DamagedCopy]] = defaultdict(list)
        for copy in copies:
            by_reason[f"{copy.rse}: {copy.reason}"[:_REASON_MAX]].append(copy)
        refused = [one for reason, alike in by_reason.items() for one in self._declare(alike, reason)]
        if refused:
            raise _unknown(refused)

    def _declare(self, copies: Sequence[DamagedCopy], reason: str) -> list[DamagedCopy]:
        """Declare copies for one reason; return those that were not taken."""
        with catalogue_errors(f"declare {len(copies)} copies suspicious"):
            told = self._client.declare_suspicious_file_replicas([copy.pfn for copy in copies], reason)
        refused = [text for texts in told.values() for text in texts]
        # Each text names the copy or the file that it is about.
        named = [copy for copy in copies if any(copy.lfn.name in text for text in refused)]
        return named or list(copies if refused else ())


def _unknown(refused: Sequence[DamagedCopy]) -> NotFound:
    first = refused[0]
    return NotFound(
        f"the catalogue took no copy of {first.lfn} at {first.rse} as suspicious ({len(refused)} in all)",
        code="catalogue-refused-suspicion",
        next_step=f"look at the file's copies: dpps data info {first.lfn}",
        lfn=first.lfn,
        rse=first.rse,
        copies=len(refused),
    )
