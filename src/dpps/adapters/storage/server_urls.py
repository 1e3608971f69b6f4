"""URLs of storage servers, ``davs://host:port/…`` and ``root://host:port//…``, checked before use."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, NoReturn
from urllib.parse import quote

from dpps.domain.errors import InvalidInput

__all__ = ["TEMPORARY_PREFIX", "Address", "ServerUrls", "server_of"]

TEMPORARY_PREFIX: Final = ".dpps-"
"""No LFN component begins with a full stop, so no product can be taken for a temporary file."""
_AMBIGUOUS: Final = frozenset("%?#\\&\"'<>")
"""Characters that a URL, a command and a path read differently: refused, so each name has one meaning."""
_LONGEST_SHOWN: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where one file or folder is."""

    url: str
    """As the caller wrote it; errors name it."""
    scheme: str
    server: str
    """``host:port``."""
    path: str
    """Absolute, with single slashes."""

    @property
    def https(self) -> str:
        """Address for HTTP."""
        return f"https://{self.server}{quote(self.path, safe='/~:+=@,!$()*;[]')}"

    @property
    def roots(self) -> str:
        """Address for XRootD's own protocol, with TLS from the first byte."""
        return f"roots://{self.server}/{self.path}"

    @property
    def root(self) -> str:
        """Address of the server as the caller writes it, which paths follow."""
        return f"{self.scheme}://{self.server}" + ("/" if self.scheme.startswith("root") else "")

    @property
    def folder(self) -> str:
        """Path of the folder that holds it."""
        return self.path.rpartition("/")[0]

    def beside(self, token: str) -> Address:
        """Return the temporary name that belongs to a token, in the same folder."""
        return self.at(f"{self.folder}/{TEMPORARY_PREFIX}{token}")

    def at(self, path: str) -> Address:
        """Return another path on the same server; errors still name this URL."""
        return Address(url=self.url, scheme=self.scheme, server=self.server, path=path)


class ServerUrls:
    """Reads URLs of the allowed servers.

    Parameters
    ----------
    schemes : collection of str
        What URLs may begin with.
    servers : collection of str
        ``host:port`` of the storage elements; others are refused, so that no credential is shown to them.
    """

    def __init__(self, schemes: Collection[str], servers: Collection[str]) -> None:
        self._schemes = frozenset(schemes)
        self._servers = frozenset(servers)

    def address(self, url: str) -> Address:
        """Return what a URL names.

        Raises
        ------
        InvalidInput
            When scheme or server is not ours, or the path is ambiguous or climbs.
        """
        scheme, found, rest = url.partition("://")
        if not found or scheme not in self._schemes:
            _refuse(
                url,
                f"it begins with none of {', '.join(sorted(self._schemes))}",
                code="url-scheme-unsupported",
            )
        server, _, path = rest.partition("/")
        if server not in self._servers:
            _refuse(url, f"{server!r} is no storage element of this system", code="url-server-unknown")
        parts = [part for part in path.split("/") if part]
        if not parts or not path.isprintable() or _AMBIGUOUS.intersection(path):
            _refuse(url, "the path is empty or has control characters, quotes, %, ?, #, &, < or a backslash")
        if any(part in {".", ".."} for part in parts):
            _refuse(url, "the path contains '.' or '..'")
        return Address(url=url, scheme=scheme, server=server, path="/" + "/".join(parts))


def server_of(url_prefix: str) -> str:
    """Return ``host:port`` of a storage element's URL."""
    return url_prefix.partition("://")[2].partition("/")[0]


def _refuse(url: str, why: str, *, code: str = "url-refused") -> NoReturn:
    shown = ascii(url if len(url) <= _LONGEST_SHOWN else url[: _LONGEST_SHOWN - 1] + "…")
    raise InvalidInput(
        f"the URL {shown} is refused: {why}",
        code=code,
        next_step="give the URL of a file on a storage element of this system: dpps site list",
        url=url,
    )
