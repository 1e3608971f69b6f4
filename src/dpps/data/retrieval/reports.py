"""Telling the archive about damaged copies that a reader met."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from dpps.domain.names import Lfn

__all__ = ["DamageReports", "DamagedCopy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DamagedCopy:
    """A copy that was read and is not what the catalogue says."""

    lfn: Lfn
    rse: str
    pfn: str
    reason: str


class DamageReports(Protocol):
    """Where suspicions go; the continuous audit decides about them."""

    def suspect(self, copies: Sequence[DamagedCopy]) -> None:
        """Declare copies suspicious; idempotent.

        Raises
        ------
        NotAuthorized
            When the account may not.
        NotFound
            When the archive knows some of the copies not; the others are declared.
        """
        ...
