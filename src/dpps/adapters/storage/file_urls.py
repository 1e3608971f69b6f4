"""``file://localhost/…`` URLs, checked before they become paths."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn

from dpps.domain.errors import InvalidInput

__all__ = ["FileUrls"]

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
    """

    def __init__(self, roots: Sequence[Path] = ()) -> None:
        self._roots = tuple(root.resolve() for root in roots)

    def path(self, url: str) -> Path:
        """Return the path that a URL names.

        Raises
        ------
        InvalidInput
            When the scheme or host is not ours, the path is ambiguous or leads outside the roots.
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
            if not any(real.is_relative_to(root) for root in self._roots):
                _refuse(url, "it lies outside the storage elements of this system", code="url-outside-roots")
        return path

    @staticmethod
    def url(path: Path) -> str:
        """Return the URL of a path."""
        return f"{_SCHEME}localhost{path}"


def _refuse(url: str, why: str, *, code: str = "url-refused") -> NoReturn:
    shown = ascii(url if len(url) <= 300 else url[:297] + "…")
    raise InvalidInput(
        f"the URL {shown} is refused: {why}",
        code=code,
        next_step="give file://localhost/<absolute path> below a storage element",
        url=url,
    )
