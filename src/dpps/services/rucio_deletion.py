"""How the catalogue's reaper deletes at storage servers: with our own client and the catalogue's credential.

Rucio loads this class by its name from the description of a storage element; it is asked for deletions
only. Rucio's own WebDAV takes the answer 200, which XRootD gives, for an error, and trusts any certificate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rucio.common.exception import (
    RSEAccessDenied,
    RSEOperationNotSupported,
    ServiceUnavailable,
    SourceNotFound,
)
from rucio.rse.protocols.protocol import RSEProtocol

from dpps.composition.state import StateFolder, default_state_folder
from dpps.composition.storage import build_storage
from dpps.domain.errors import DppsError, NotAuthorized, NotFound

if TYPE_CHECKING:
    from dpps.data.transfers.ports import TransferStorage

__all__ = ["Default"]


class Default(RSEProtocol):  # type: ignore[misc]  # Rucio tells no types
    """Deletes files; the name of the class is Rucio's."""

    _storage: TransferStorage

    def connect(self, credentials: dict[str, Any] | None = None) -> None:
        """Read which system this is and who we are."""
        self._storage = build_storage(StateFolder(default_state_folder()), "catalogue")

    def close(self) -> None:
        """Nothing: connections end with this object."""

    def path2pfn(self, path: str) -> str:
        """Return the URL of a path; a URL stays what it is."""
        if "://" in path:
            return path
        host, port = self.attributes["hostname"], self.attributes["port"]
        return f"{self.attributes['scheme']}://{host}:{port}/{path.lstrip('/')}"

    def get(self, path: str, dest: str, transfer_timeout: int | None = None) -> None:
        """Refuse: this way is for deletion."""
        raise RSEOperationNotSupported(f"{path} cannot be read in this way; use https")

    def put(
        self, source: str, target: str, source_dir: str | None = None, transfer_timeout: int | None = None
    ) -> None:
        """Refuse: this way is for deletion."""
        raise RSEOperationNotSupported(f"{target} cannot be written in this way; use https")

    def rename(self, path: str, new_path: str) -> None:
        """Refuse: this way is for deletion."""
        raise RSEOperationNotSupported(f"{path} cannot be renamed in this way; use https")

    def delete(self, path: str) -> None:
        """Delete one file.

        Raises
        ------
        SourceNotFound
            When it is gone already.
        RSEAccessDenied, ServiceUnavailable
            When the storage refuses, or does not answer.
        """
        url = self.path2pfn(path)
        try:
            if self._storage.size_bytes(url) is None:
                raise SourceNotFound(f"there is no {url}")
            self._storage.delete(url)
        except NotFound as gone:
            raise SourceNotFound(gone.message) from gone
        except NotAuthorized as denied:
            raise RSEAccessDenied(denied.message) from denied
        except DppsError as failure:
            raise ServiceUnavailable(failure.message) from failure
