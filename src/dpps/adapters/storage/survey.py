"""Everything that lies at a storage, names of unfinished copies included where the storage shows them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from dpps.adapters.storage.file_errors import file_errors
from dpps.adapters.storage.file_urls import MARK, FileUrls
from dpps.data.ports import Storage

__all__ = ["Survey"]

_FILE_SCHEME = "file://"


class Survey:
    """Lists storages; of servers only what they list of themselves, below the folder of the VO.

    Parameters
    ----------
    storage : Storage
        Lists storages that are no file systems.
    vo : str
        First folder of all names: our credential opens no other one of a server.
    """

    def __init__(self, storage: Storage, vo: str) -> None:
        self._storage = storage
        self._vo = vo
        self._urls = FileUrls()

    def everything(self, url: str) -> Iterator[str]:
        """Yield the URLs of all files below the root of a storage, by name; none when it is absent.

        Parameters
        ----------
        url : str
            URL prefix of the storage.
        """
        if not url.startswith(_FILE_SCHEME):
            yield from self._storage.list_files(f"{url.rstrip('/')}/{self._vo}")
            return
        top = self._urls.path(url)
        if top.exists():
            with file_errors(url):
                yield from (self._urls.url(path) for path in _regular_files(top))


def _regular_files(top: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(top, onerror=_raise_unless_gone):
        folders.sort()
        for name in sorted(names):
            path = Path(folder, name)
            if name != MARK and _is_regular(path):
                yield path


def _is_regular(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:
        return False  # deleted or renamed while we look


def _raise_unless_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
