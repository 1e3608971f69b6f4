"""Everything that must be true before the first service starts: folder, ports, secrets, configuration."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from dpps.composition.instance import Endpoint, Instance, SiteStorage, StorageKind
from dpps.composition.state import StateFolder
from dpps.composition.storage_marks import mark_storages
from dpps.domain.errors import Conflict, DppsError, InvalidInput, NotFound, StorageFull
from dpps.domain.sites import DEFAULT_SITES
from dpps.ops import ports
from dpps.ops.credentials import write_credentials
from dpps.ops.postgres import ensure_cluster
from dpps.ops.programs import (
    ServiceUser,
    can_reach,
    memcached,
    postgres_programs,
    service_user,
    within_reach,
)
from dpps.ops.rucio_config import write_rucio_configuration
from dpps.ops.table import ENCRYPTED_SERVICES, ENDPOINT_NAMES
from dpps.ops.xrootd import assert_installed, ensure_server, service_name

__all__ = [
    "LEAST_FREE_BYTES",
    "check_folder",
    "check_ports",
    "load_or_create_instance",
    "open_folder",
    "prepare",
    "refuse_strange_folder",
]

LEAST_FREE_BYTES = 512 * 1024**2
_FOLDERS = ("config", "handover", "work", "logs", "run", "storage")


def prepare(
    folder: StateFolder, database_url: str | None = None, storage: StorageKind | None = None
) -> Instance:
    """Bring a state folder to the point where the services can start; idempotent.

    Parameters
    ----------
    folder : StateFolder
        The folder; made when absent.
    database_url : str, optional
        A PostgreSQL run by others, ``postgresql://user:password@host:port/``.
    storage : StorageKind, optional
        What the storage elements of a new system shall be; POSIX by default.

    Raises
    ------
    DppsError
        One error that names what is wrong and the next step.
    """
    try:
        for site in DEFAULT_SITES:
            folder.storage(site.name).mkdir(exist_ok=True)
        instance = load_or_create_instance(folder, database_url, storage)
        if not instance.database_url:
            folder.ensure_secret("postgres")
            user = service_user()
            programs = within_reach(postgres_programs(folder.database), user, folder.programs)
            ensure_cluster(folder, programs, user)
        write_credentials(folder)
        _prepare_storages(folder, instance)
        write_rucio_configuration(instance, folder)
    except OSError as failure:
        raise _explained(failure, folder) from failure
    return instance


def _prepare_storages(folder: StateFolder, instance: Instance) -> None:
    if instance.storage is StorageKind.POSIX:
        mark_storages(folder, [folder.storage(one.rse) for one in instance.sites])
        return
    for one in instance.sites:
        # Servers without a port of ours are run by others: a test bed, a data centre.
        if (server := instance.endpoints.get(service_name(one.rse))) is not None:
            mark_storages(folder, [folder.storage(one.rse)])  # the server is given all that lies there
            ensure_server(folder, one.rse, port=server.port, vo=instance.vo)


def open_folder(folder: StateFolder, database_url: str | None = None) -> None:
    """Make the state folder and the folders in it, unless they are there.

    Raises
    ------
    InvalidInput
        When it is a file, not ours, not empty without being a system, cannot be written, or is closed to
        the service user; nothing has been made then.
    StorageFull
        When the disk is full.
    """
    try:
        refuse_strange_folder(folder.root)
        check_folder(folder, None if _foreign_database(folder, database_url) else service_user())
        if not folder.root.exists():
            folder.root.mkdir(parents=True)
            folder.root.chmod(0o755)  # whatever the umask: the service user must enter
        for name in _FOLDERS:
            (folder.root / name).mkdir(exist_ok=True)
    except OSError as failure:
        raise _explained(failure, folder) from failure


def _foreign_database(folder: StateFolder, database_url: str | None) -> bool:
    try:
        return bool(database_url or Instance.load(folder).database_url)
    except NotFound:
        return False


def refuse_strange_folder(root: Path) -> None:
    """Refuse, before anything is written, what cannot become or is not a state folder of ours."""
    if root.exists() and not root.is_dir():
        raise InvalidInput(
            f"{root} is a file, not a folder",
            code="state-not-a-folder",
            next_step="name another folder with --state",
            path=root,
        )
    if root.exists() and root.stat().st_uid != os.geteuid():
        raise InvalidInput(
            f"{root} belongs to another user (number {root.stat().st_uid})",
            code="state-not-ours",
            next_step="run as that user, or name another folder with --state",
            path=root,
        )
    if root.exists() and any(root.iterdir()) and not (root / "config").is_dir():
        raise InvalidInput(
            f"{root} is not empty and holds no system",
            code="state-not-a-system",
            next_step="name an empty or a new folder with --state",
            path=root,
        )


def check_folder(folder: StateFolder, user: ServiceUser | None) -> None:
    """Refuse a folder without room, or one that the service user cannot enter.

    Raises
    ------
    StorageFull
        When less than `LEAST_FREE_BYTES` are free.
    InvalidInput
        Naming the folder on the way that is closed, and the command that opens it.
    """
    existing = next(path for path in (folder.root, *folder.root.parents) if path.exists())
    free_bytes = shutil.disk_usage(existing).free
    if free_bytes < LEAST_FREE_BYTES:
        raise StorageFull(
            f"only {free_bytes // 1024**2} MB are free at {folder.root}; "
            f"{LEAST_FREE_BYTES // 1024**2} MB are needed to start",
            next_step=f"make room (df -h {folder.root}), or name another folder with --state",
            path=folder.root,
        )
    if user is None:
        return
    for path in [*reversed(existing.parents), existing]:
        if not can_reach(path, user):
            raise InvalidInput(
                f"the service user {user.name!r} cannot enter {path}, so PostgreSQL cannot run below it",
                code="state-not-enterable",
                next_step=f"run: chmod o+x {path}   (or name another with --state, like /var/lib/dpps)",
                path=path,
            )


def load_or_create_instance(
    folder: StateFolder, database_url: str | None, storage: StorageKind | None = None
) -> Instance:
    """Return the description of the system with every port chosen and every site known.

    Raises
    ------
    Conflict
        When another kind of storage is asked for than the system was made with.
    NotFound
        When storage servers are asked for that are not installed.
    """
    try:
        instance = Instance.load(folder)
    except NotFound:
        instance = Instance(storage=storage or StorageKind.POSIX)
    if storage not in {None, instance.storage}:
        raise Conflict(
            f"the system in {folder.root} was made with {instance.storage} storage, not {storage}",
            code="storage-kind-fixed",
            next_step="leave --storage out, or start a new system in another folder with --state",
            state=folder.root,
        )
    wanted = [name for name in ENDPOINT_NAMES if name != "cache" or memcached()]
    if instance.storage is StorageKind.XROOTD and not instance.sites:
        assert_installed()
        wanted += [service_name(site.name) for site in DEFAULT_SITES]
    missing = [name for name in wanted if name not in instance.endpoints]
    taken = [endpoint.port for endpoint in instance.endpoints.values()]
    endpoints = _with_schemes({**instance.endpoints, **ports.choose(missing, taken)})
    complete = instance.model_copy(
        update={
            "endpoints": endpoints,
            "sites": instance.sites or _default_sites(folder, endpoints),
            "database_url": _without_password(folder, database_url) or instance.database_url,
        }
    )
    if complete != instance:
        complete.save(folder)
    return complete


def _with_schemes(endpoints: dict[str, Endpoint]) -> dict[str, Endpoint]:
    """Return the addresses with ``https`` where a service wants to know who calls."""
    return {
        name: endpoint.model_copy(update={"scheme": "https"}) if _is_encrypted(name) else endpoint
        for name, endpoint in endpoints.items()
    }


def _is_encrypted(service: str) -> bool:
    return service in ENCRYPTED_SERVICES or service in {service_name(site.name) for site in DEFAULT_SITES}


def _default_sites(folder: StateFolder, endpoints: Mapping[str, Endpoint]) -> tuple[SiteStorage, ...]:
    return tuple(
        SiteStorage(
            rse=site.name,
            onsite=site.onsite,
            country=site.country,
            latitude_deg=site.latitude_deg,
            longitude_deg=site.longitude_deg,
            url_prefix=_url_prefix(folder, site.name, endpoints.get(service_name(site.name))),
        )
        for site in DEFAULT_SITES
    )


def _url_prefix(folder: StateFolder, rse: str, server: Endpoint | None) -> str:
    return f"https://{server.host}:{server.port}" if server else f"file://localhost{folder.storage(rse)}"


def _without_password(folder: StateFolder, database_url: str | None) -> str | None:
    """Keep the password of a given database among the secrets; return the rest of its URL."""
    if database_url is None:
        return None
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(database_url)
    except ArgumentError as wrong:
        raise InvalidInput(
            "the database URL cannot be read",
            code="database-url",
            next_step="write it like postgresql://user:password@host:5432/",
        ) from wrong
    if not url.drivername.startswith("postgresql") or not url.username or not url.host:
        raise InvalidInput(
            f"{url.render_as_string(hide_password=True)} is not the URL of a PostgreSQL with user and host",
            code="database-url",
            next_step="write it like postgresql://user:password@host:5432/",
        )
    if url.password:
        folder.set_secret("postgres", str(url.password))
    port = f":{url.port}" if url.port else ""
    return f"postgresql+psycopg://{url.username}@{url.host}{port}/"


def check_ports(instance: Instance, services: Iterable[str]) -> None:
    """Refuse to start when a stranger holds one of the recorded ports.

    Raises
    ------
    Conflict
        Naming port, holder and next step.
    """
    for name in services:
        if name in instance.endpoints:
            ports.assert_free(name, instance.endpoints[name])


def _explained(failure: OSError, folder: StateFolder) -> DppsError:
    path = failure.filename or folder.root
    if failure.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFull(
            f"the disk is full: {path} could not be written",
            next_step=f"make room (df -h {folder.root}), then run: dpps up",
            path=path,
        )
    return InvalidInput(
        f"{path} cannot be used: {failure.strerror}",
        code="state-not-writable",
        next_step="name a folder that you may write with --state",
        path=path,
    )
