"""``file://localhost/…`` URLs, checked before they become paths."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NoReturn

from dpps.domain.errors import InvalidInput, Unavailable

__all__ = ["MARK", "FileUrls"]

MARK: Final = ".storage-mark"
"""File at the root of a storage that tells it from the empty folder of one that is not mounted. No LFN
component begins with a full stop."""

_SCHEME: Final = "file://"
_LOCAL_HOSTS: Final = frozenset({"", "localhost", "localhost:0"})
"""RFC 8089: an empty host means this one. Rucio writes port 0 where an RSE has none."""
_AMBIGUOUS: Final = frozenset("%?#\\")
"""Characters that a URL and a path read differently: refused, so that each name has one meaning."""


class FileUrls:
    """Translates between URLs and paths below the allowed roots.

    Parameters
    ----------
    roots : sequence of pathlib.Path
        Folders below which files may be read and written; symbolic links cannot lead out of them.
        Empty: the whole file system.
    marks : mapping of pathlib.Path to str, optional
        What the file `MARK` of a root must hold; roots that are not named need none.
    """

    def __init__(self, roots: Sequence[Path] = (), marks: Mapping[Path, str] | None = None) -> None:
        self._roots = tuple(root.resolve() for root in roots)
        self._marks = {root.resolve(): mark for root, mark in (marks or {}).items()}

    def path(self, url: str) -> Path:
        """Return the path that a URL names.

        Raises
        ------
        InvalidInput
            When the scheme or host is not ours, the path is ambiguous or leads outside the roots.
        Unavailable
            When the root does not show its mark: the storage is not there.
        """
        if not url.startswith(_SCHEME):
            _refuse(url, "it does not begin with file://", code="url-scheme-unsupported")
        host, slash, rest = url.removeprefix(_SCHEME).partition("/")
        if host not in _LOCAL_HOSTS:
            _refuse(url, f"the host {host!r} is not localhost")
        path = slash + rest
        if not rest.strip("/") or not path.isprintable() or _AMBIGUOUS.intersection(path):
            _refuse(url, "the path is empty or has control characters, %, ?, # or a backslash")
        if any(part in {".", ".."} for part in path.split("/")):
            _refuse(url, "the path contains '.' or '..'")
        return self._below_a_root(Path(path), url)

    def _below_a_root(self, path: Path, url: str) -> Path:
        if self._roots:
            real = Path(os.path.realpath(path))
            root = next((one for one in self._roots if real.is_relative_to(one)), None)
            if root is None:
                _refuse(url, "it lies outside the storage elements of this system", code="url-outside-roots")
            if root in self._marks:
                _check_mark(root, self._marks[root], url)
        return path

    @staticmethod
    def url(path: Path) -> str:
        """Return the URL of a path."""
        return f"{_SCHEME}localhost{path}"


def _check_mark(root: Path, mark: str, url: str) -> None:
    try:
        shown = (root / MARK).read_text()
    except OSError:
        shown = ""
    if shown != mark:
        raise Unavailable(
            f"the storage {root} is not there: its folder does not hold the right {MARK}",
            code="storage-absent",
            next_step=f"mount it (see: findmnt {root}); nothing is written to the folder meanwhile",
            url=url,
        )


def _refuse(url: str, why: str, *, code: str = "url-refused") -> NoReturn:
    shown = ascii(url if len(url) <= 300 else url[:297] + "…")
    raise InvalidInput(
        f"the URL {shown} is refused: {why}",
        code=code,
        next_step="give file://localhost/<absolute path> below a storage element",
        url=url,
    )
