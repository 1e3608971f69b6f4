"""Everything that lies at a storage, names of unfinished copies included."""

from __future__ import annotations

from collections.abc import Iterator

from dpps.data.audit.ports import StorageSurvey
from dpps.data.audit.records import ListedFile

__all__ = ["Survey"]

_FILE_SCHEME = "file://"


class Survey:
    """Lists folders of this machine wholly, and of servers the folder of the VO.

    Parameters
    ----------
    storage : StorageSurvey
        Lists what is below a URL.
    vo : str
        First folder of all names: our credential opens no other one of a server.
    """

    def __init__(self, storage: StorageSurvey, vo: str) -> None:
        self._storage = storage
        self._vo = vo

    def everything(self, url: str) -> Iterator[ListedFile]:
        """Yield all files of a storage, folder by folder, by name; none when it is absent.

        Parameters
        ----------
        url : str
            URL prefix of the storage.
        """
        whole = url.startswith(_FILE_SCHEME)
        return self._storage.everything(url if whole else f"{url.rstrip('/')}/{self._vo}")
