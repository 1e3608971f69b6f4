"""What the demo asks the archive: did files arrive, are they safe, where is everything."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dpps.composition.data import build_catalogue
from dpps.composition.instance import Instance
from dpps.composition.principals import local_principal
from dpps.composition.state import StateFolder
from dpps.composition.storage import build_storage
from dpps.data.ports import Catalogue, Storage
from dpps.data.query import find_files
from dpps.data.retrieval import get_files
from dpps.domain.errors import DppsError, NotFound
from dpps.domain.files import ArchivedFile, Replica, ReplicaState
from dpps.domain.names import Lfn
from dpps.domain.principals import Principal
from dpps.ops.demo.record import Copy, ProductRow

__all__ = ["Archive"]

_COPIES = 2


class Archive:
    """The archive of the demo's system, seen by its owner.

    Parameters
    ----------
    folder : StateFolder
        The system, which is running.
    """

    def __init__(self, folder: StateFolder) -> None:
        self._principal: Principal = local_principal(folder)
        self._catalogue: Catalogue = build_catalogue(folder, "reader")
        self._storage: Storage = build_storage(folder)
        self.sites = [site.rse for site in Instance.load(folder).sites]

    def files(self, expression: str = "") -> list[ArchivedFile]:
        """Return all attached files that meet a query."""
        return find_files(self._principal, self._catalogue, expression)

    def known(self, lfns: Sequence[str]) -> list[ArchivedFile]:
        """Return attached files by name; those that are missing are left out."""
        found = self._catalogue.files([Lfn(name) for name in lfns])
        return [file for file in found if file is not None and file.dataset is not None]

    def look_for_safety(self, files: Sequence[ArchivedFile]) -> tuple[int, int, str]:
        """Tell how many files have their two distant copies and none on site any more."""
        current = self.known([file.lfn.name for file in files])
        safe = sum(_is_safe(file) for file in current)
        waiting = next((file.lfn.basename for file in current if not _is_safe(file)), "")
        return safe, len(files), f"waiting for {waiting}" if waiting else "all safe"

    def rows(self, files: Sequence[ArchivedFile]) -> list[ProductRow]:
        """Read every copy back and compare it with the catalogue."""
        return [self._row(file) for file in self.known([file.lfn.name for file in files])]

    def fetch(self, lfn: str, destination: Path) -> Path:
        """Retrieve one file and return its local path.

        Raises
        ------
        DppsError
            When no good copy can be had.
        """
        (result,) = get_files(self._principal, self._catalogue, self._storage, [Lfn(lfn)], destination)
        if result.error is not None:
            raise result.error
        return destination / Lfn(lfn).basename

    def _row(self, file: ArchivedFile) -> ProductRow:
        inputs = file.metadata.get("dpps__inputs")
        return ProductRow(
            lfn=file.lfn.name,
            level=str(file.metadata.get("data__level", "")),
            size_bytes=file.content.size_bytes,
            adler32=file.content.adler32,
            copies=tuple(
                Copy(rse=replica.rse, onsite=replica.onsite, verified=self._matches(file, replica))
                for replica in file.replicas
                if replica.state is ReplicaState.AVAILABLE
            ),
            inputs=tuple(str(name) for name in inputs) if isinstance(inputs, list) else (),
        )

    def _matches(self, file: ArchivedFile, replica: Replica) -> bool:
        """Read a copy back; one that is gone or unreadable does not match, which is what the page says."""
        try:
            return self._storage.read_back(replica.pfn) == file.content
        except (NotFound, DppsError):
            return False


def _is_safe(file: ArchivedFile) -> bool:
    distant = {copy.rse for copy in file.replicas if not copy.onsite and copy.state is ReplicaState.AVAILABLE}
    return len(distant) >= _COPIES and not any(copy.onsite for copy in file.replicas)
