"""The storages of one system, as each of its services may use them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dpps.composition.instance import Instance, SiteStorage
from dpps.composition.state import StateFolder
from dpps.composition.storage_marks import storage_marks
from dpps.data.audit.ports import SurveyedStorage
from dpps.domain.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from dpps.adapters.storage.by_scheme import StreamedStorage
    from dpps.adapters.storage.credentials import Credentials

__all__ = [
    "STORAGE_ISSUER",
    "STORAGE_SERVICES",
    "build_storage",
    "ensure_issuer",
    "is_server",
    "local_root",
    "storage_audiences",
    "storage_authority",
    "storage_issuer_key",
    "storage_token",
    "storages_of",
]

STORAGE_ISSUER: Final = "https://dpps.invalid/storage"
"""Name of the issuer of this system's tokens; no address: servers are given its public key."""
_SECRET: Final = "storage-issuer"  # noqa: S105 - the name of the secret, not the secret
_FILE_PREFIX: Final = "file://localhost"

STORAGE_SERVICES: Final[Mapping[str, tuple[str, ...]]] = {
    "owner": ("storage.read:/", "storage.modify:/{vo}"),
    "ingest": ("storage.read:/{vo}", "storage.modify:/{vo}"),
    "transfers": ("storage.read:/{vo}", "storage.modify:/{vo}"),
    "workload": ("storage.read:/{vo}", "storage.modify:/{vo}"),
    "catalogue": ("storage.read:/{vo}", "storage.modify:/{vo}"),
    "preservation": ("storage.read:/{vo}", "storage.modify:/{vo}"),
    "reader": ("storage.read:/{vo}",),
}
"""What each service may do at the storages (WLCG token profile). ``owner`` is whoever holds the state
folder; ``catalogue`` deletes what no rule wants. A job has tokens of its own:
`dpps.composition.job_storage`.
"""


def storage_authority(folder: StateFolder) -> Path:
    """Return the PEM file of the authority that certifies the storages of a system."""
    return folder.certificates / "authority" / "certificate.pem"


def storage_issuer_key(folder: StateFolder) -> str:
    """Return the private key (PEM) that signs storage tokens; a secret."""
    return folder.secret(_SECRET)


def storage_audiences(servers: Sequence[str]) -> tuple[str, ...]:
    """Return the names that a token may call a server by, which goes by these ``host:port``."""
    from dpps.adapters.storage.credentials import audience_of

    return tuple(map(audience_of, servers))


def ensure_issuer(folder: StateFolder) -> dict[str, Any]:
    """Return the public keys of the issuer of storage tokens (JSON Web Key Set); made on first use."""
    from joserfc.jwk import ECKey

    try:
        key = ECKey.import_key(folder.secret(_SECRET))
    except NotFound:
        key = ECKey.generate_key("P-256", auto_kid=True)
        folder.set_secret(_SECRET, key.as_pem(private=True).decode())
    public = {**key.as_dict(private=False), "kid": key.thumbprint(), "alg": "ES256", "use": "sig"}
    return {"keys": [public]}


def build_storage(folder: StateFolder, service: str = "owner") -> SurveyedStorage:
    """Return access to all storages of a system, with the credential of one service.

    Parameters
    ----------
    folder : StateFolder
        The system.
    service : str
        One of `STORAGE_SERVICES`.

    Raises
    ------
    NotFound, InvalidInput
        When the folder holds no system, or there is no such service.
    """
    instance = Instance.load(folder)
    prefixes = [site.url_prefix for site in instance.sites]
    if not any(map(is_server, prefixes)):
        return storages_of(prefixes, None, None, marks=storage_marks(folder))
    from dpps.adapters.storage.credentials import LocalTokens
    from dpps.adapters.storage.file_urls import MARK
    from dpps.adapters.storage.marked import MarkedStorage

    scopes = [*_scopes(service, instance.vo), f"storage.read:/{MARK}"]
    tokens = LocalTokens(storage_issuer_key(folder), STORAGE_ISSUER, service, scopes)
    storages = storages_of(
        prefixes, storage_authority(folder).read_text(), tokens, trusted=folder.certificates / "trusted"
    )
    known = {root.resolve(): mark for root, mark in storage_marks(folder).items()}
    roots = {site.url_prefix: local_root(folder, instance, site) for site in instance.sites}
    marks = {prefix: known[root] for prefix, root in roots.items() if is_server(prefix) and root in known}
    return MarkedStorage(storages, marks)


def local_root(folder: StateFolder, instance: Instance, site: SiteStorage) -> Path | None:
    """Return the folder of this machine that holds a storage's files; None for one that others run.

    Parameters
    ----------
    folder, instance
        The system.
    site : SiteStorage
        Its storage.
    """
    if site.url_prefix.startswith(_FILE_PREFIX):
        return Path(site.url_prefix.removeprefix(_FILE_PREFIX)).resolve()
    from dpps.adapters.storage.server_urls import server_of

    ours = instance.endpoints.get(f"storage-{site.rse.lower()}")
    is_ours = ours is not None and server_of(site.url_prefix) == f"{ours.host}:{ours.port}"
    return folder.storage(site.rse).resolve() if is_ours else None


def storage_token(folder: StateFolder, service: str, servers: Sequence[str], *, lifetime_seconds: int) -> str:
    """Return a token for some of the storages, for a program that is not ours.

    Parameters
    ----------
    folder : StateFolder
        The system.
    service : str
        One of `STORAGE_SERVICES`, whose rights it has.
    servers : sequence of str
        ``host:port`` of those that it opens.
    lifetime_seconds : int
        How long it is valid.
    """
    from dpps.adapters.storage.credentials import mint_token

    return mint_token(
        storage_issuer_key(folder),
        issuer=STORAGE_ISSUER,
        subject=service,
        scopes=_scopes(service, Instance.load(folder).vo),
        audiences=storage_audiences(servers),
        lifetime_seconds=lifetime_seconds,
    )


def _scopes(service: str, vo: str) -> list[str]:
    try:
        return [scope.format(vo=vo) for scope in STORAGE_SERVICES[service]]
    except KeyError:
        raise InvalidInput(
            f"no service {service!r} has a credential at the storages",
            code="storage-service-unknown",
            next_step=f"choose from: {', '.join(STORAGE_SERVICES)}",
        ) from None


def is_server(url_prefix: str) -> bool:
    """Return whether a storage is a server; else it is a folder of this machine."""
    return not url_prefix.startswith("file:")


def storages_of(
    prefixes: Sequence[str],
    authority: str | None,
    credentials: Credentials | None,
    *,
    trusted: Path | None = None,
    marks: Mapping[Path, str] | None = None,
) -> SurveyedStorage:
    """Return access to storages with a credential.

    Parameters
    ----------
    prefixes : sequence of str
        URL prefixes of the storages.
    authority : str or None
        Certificate (PEM) of the authority that servers must be certified by; None where there are none.
    credentials : Credentials or None
        What is shown to servers.
    trusted : pathlib.Path, optional
        Folder with that authority's certificate under the hash of its name, as XRootD's programs want it;
        without it there is no ``root://``.
    marks : mapping, optional
        What says that a folder is the storage, and not the empty place where it should be mounted.
    """
    from dpps.adapters.storage.by_scheme import StorageByScheme
    from dpps.adapters.storage.posix import PosixStorage

    roots = [Path(one.removeprefix(_FILE_PREFIX)) for one in prefixes if one.startswith(_FILE_PREFIX)]
    posix = PosixStorage(roots, marks)
    if authority is None or credentials is None:
        return posix
    from dpps.adapters.storage import webdav, xrootd
    from dpps.adapters.storage.second_protocol import SecondProtocol
    from dpps.adapters.storage.server_storage import ServerStorage
    from dpps.adapters.storage.server_urls import server_of
    from dpps.adapters.storage.webdav_client import WebdavClient
    from dpps.adapters.storage.xrootd_programs import XrootdPrograms

    servers = [server_of(one) for one in prefixes if is_server(one)]
    https = ServerStorage(
        webdav.WebdavProtocol(WebdavClient(authority, credentials)), webdav.SCHEMES, servers
    )
    kinds: dict[str, StreamedStorage] = {"file": posix, **dict.fromkeys(webdav.SCHEMES, https)}
    if trusted is None:
        return StorageByScheme(kinds)
    root = ServerStorage(xrootd.XrootdProtocol(XrootdPrograms(trusted), credentials), xrootd.SCHEMES, servers)
    return SecondProtocol({**kinds, **dict.fromkeys(xrootd.SCHEMES, root)})
