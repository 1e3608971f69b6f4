"""States of copies, from a catalogue in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dpps.data.ports import Catalogue
from dpps.domain.files import ReplicaState
from dpps.domain.names import Lfn

__all__ = ["MemoryCopyStates"]


class MemoryCopyStates:
    """Implements ``CopyStates``.

    Parameters
    ----------
    catalogue : Catalogue
        Where the files are.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def copy_states(self, lfns: Sequence[Lfn]) -> Mapping[Lfn, Mapping[str, ReplicaState]]:
        """Return, by file and RSE, the state of each copy; unknown files are left out."""
        files = (file for file in self._catalogue.files(lfns) if file is not None)
        return {file.lfn: {one.rse: one.state for one in file.replicas} for file in files}
