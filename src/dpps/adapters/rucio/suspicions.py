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
            When the catalogue knows no such copy.
        """
        by_reason: dict[str, list[str]] = defaultdict(list)
        for copy in copies:
            by_reason[f"{copy.rse}: {copy.reason}"[:_REASON_MAX]].append(copy.pfn)
        for reason, pfns in by_reason.items():
            with catalogue_errors(f"declare {len(pfns)} copies suspicious"):
                refused = self._client.declare_suspicious_file_replicas(pfns, reason)
            told = [text for texts in refused.values() for text in texts]
            if told:
                raise NotFound(
                    f"the catalogue did not take {told[0]} as suspicious",
                    code="catalogue-refused-suspicion",
                    next_step="look at the file's copies: dpps data info",
                )
