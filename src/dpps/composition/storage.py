"""The storages of one system, as each of its services may use them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dpps.composition.instance import Instance, SiteStorage
from dpps.composition.state import StateFolder
from dpps.composition.storage_marks import storage_marks
from dpps.data.transfers.ports import TransferStorage
from dpps.domain.errors import InvalidInput, NotFound
from dpps.workload.bundle import StorageAccess

if TYPE_CHECKING:
    from dpps.adapters.storage.credentials import Credentials

__all__ = [
    "STORAGE_ISSUER",
    "STORAGE_SERVICES",
    "build_job_storage",
    "build_storage",
    "ensure_issuer",
    "job_storage_access",
    "local_root",
    "storage_authority",
    "storage_token",
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
    "job": ("storage.read:/{vo}", "storage.modify:/{vo}/tmp"),
}
"""What each service may do at the storages (WLCG token profile). ``owner`` is whoever holds the state
folder; ``catalogue`` deletes what no rule wants; a job writes below the temporary folder only."""


def storage_authority(folder: StateFolder) -> Path:
    """Return the PEM file of the authority that certifies the storages of a system."""
    return folder.certificates / "authority" / "certificate.pem"


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


def build_storage(folder: StateFolder, service: str = "owner") -> TransferStorage:
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
    if not any(map(_is_server, prefixes)):
        return _storage(prefixes, None, None, storage_marks(folder))
    from dpps.adapters.storage.credentials import LocalTokens

    tokens = LocalTokens(folder.secret(_SECRET), STORAGE_ISSUER, service, _scopes(service, instance.vo))
    return _storage(prefixes, storage_authority(folder).read_text(), tokens)


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


def storage_token(
    folder: StateFolder, service: str, *, lifetime_seconds: int, subject: str | None = None
) -> str:
    """Return a token for the storages, to be given away: into the bundle of a job, or to a person.

    Parameters
    ----------
    folder : StateFolder
        The system.
    service : str
        One of `STORAGE_SERVICES`, whose rights it has.
    lifetime_seconds : int
        How long it is valid.
    subject : str, optional
        Whom the storages shall write into their logs; the service by default.
    """
    from dpps.adapters.storage.credentials import mint_token

    return mint_token(
        folder.secret(_SECRET),
        issuer=STORAGE_ISSUER,
        subject=subject or service,
        scopes=_scopes(service, Instance.load(folder).vo),
        lifetime_seconds=lifetime_seconds,
    )


def job_storage_access(folder: StateFolder, job: str, lifetime_seconds: int) -> StorageAccess | None:
    """Return what opens the storages to one job for so many seconds; None where they are folders."""
    servers = tuple(site.url_prefix for site in Instance.load(folder).sites if _is_server(site.url_prefix))
    if not servers:
        return None
    token = storage_token(folder, "job", lifetime_seconds=lifetime_seconds, subject=f"job:{job}")
    authority = storage_authority(folder).read_text()
    return StorageAccess(servers=servers, authority=authority, token=token)


def build_job_storage(access: StorageAccess | None = None) -> TransferStorage:
    """Return a worker's access to storages, made of what its bundle says alone.

    Parameters
    ----------
    access : StorageAccess, optional
        What opens storage servers; ``file://`` works without.
    """
    if access is None:
        return _storage([], None, None)
    from dpps.adapters.storage.credentials import GivenToken, NoCredentials

    credentials = GivenToken(access.token) if access.token else NoCredentials()
    return _storage(access.servers, access.authority, credentials)


def _scopes(service: str, vo: str) -> list[str]:
    try:
        return [scope.format(vo=vo) for scope in STORAGE_SERVICES[service]]
    except KeyError:
        raise InvalidInput(
            f"no service {service!r} has a credential at the storages",
            code="storage-service-unknown",
            next_step=f"choose from: {', '.join(STORAGE_SERVICES)}",
        ) from None


def _is_server(prefix: str) -> bool:
    return not prefix.startswith("file:")


def _storage(
    prefixes: Sequence[str],
    authority: str | None,
    credentials: Credentials | None,
    marks: Mapping[Path, str] | None = None,
) -> TransferStorage:
    from dpps.adapters.storage.by_scheme import StorageByScheme
    from dpps.adapters.storage.posix import PosixStorage

    roots = [Path(one.removeprefix(_FILE_PREFIX)) for one in prefixes if one.startswith(_FILE_PREFIX)]
    posix = PosixStorage(roots, marks)
    if authority is None or credentials is None:
        return posix
    from dpps.adapters.storage.server_urls import server_of
    from dpps.adapters.storage.webdav import WebdavStorage
    from dpps.adapters.storage.webdav_client import WebdavClient

    servers = [server_of(one) for one in prefixes if _is_server(one)]
    webdav = WebdavStorage(WebdavClient(authority, credentials), servers)
    return StorageByScheme({"file": posix, "davs": webdav, "https": webdav})
