"""Transfer requests of the catalogue, in memory."""

from __future__ import annotations

from dpps.data.why.observations import TransferRequest
from dpps.domain.names import Lfn

__all__ = ["MemoryRequestLedger"]


class MemoryRequestLedger:
    """Implements ``RequestLedger``.

    Attributes
    ----------
    requests : list of (Lfn, str, TransferRequest)
        File, destination and request; the latest last.
    """

    def __init__(self) -> None:
        self.requests: list[tuple[Lfn, str, TransferRequest]] = []

    def request(self, lfn: Lfn, rse: str) -> TransferRequest | None:
        """Return the request to copy a file to a storage, else the last that was over; None: never any."""
        found = [one for file, place, one in self.requests if (file, place) == (lfn, rse)]
        present = [one for one in found if not one.past]
        return next(reversed(present or found), None)
