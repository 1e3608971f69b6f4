"""Reports of damaged copies in memory."""

from __future__ import annotations

from collections.abc import Sequence

from dpps.data.retrieval.reports import DamagedCopy

__all__ = ["MemoryDamageReports"]


class MemoryDamageReports:
    """Keeps reports in a list.

    Attributes
    ----------
    copies : list of DamagedCopy
        What was reported, each copy once.
    """

    def __init__(self) -> None:
        self.copies: list[DamagedCopy] = []

    def suspect(self, copies: Sequence[DamagedCopy]) -> None:
        """Declare copies suspicious."""
        known = {(copy.lfn, copy.rse) for copy in self.copies}
        self.copies += [copy for copy in copies if (copy.lfn, copy.rse) not in known]
