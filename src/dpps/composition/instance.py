"""The description of one system: written by ``dpps up``, read by everything that talks to it."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dpps.composition.state import StateFolder
from dpps.domain.errors import InvalidInput, NotFound

__all__ = ["Endpoint", "Instance", "SiteStorage", "StorageKind"]


class Endpoint(BaseModel):
    """Where a service listens."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(ge=1, le=65535)
    scheme: Literal["http", "https"] = "http"
    """With ``https`` the service shows a certificate of the system's own authority."""

    @property
    def url(self) -> str:
        """Address for HTTP clients."""
        return f"{self.scheme}://{self.host}:{self.port}"


class StorageKind(StrEnum):
    """What the storage elements of a system are."""

    POSIX = "posix"
    """Folders of this machine."""
    XROOTD = "xrootd"
    """A server for each site."""


class SiteStorage(BaseModel):
    """One site's storage element."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rse: str
    onsite: bool
    country: str
    latitude_deg: float
    longitude_deg: float
    url_prefix: str
    """Physical URL of ``/``, e.g. ``file://localhost/…/storage/CSCS`` or ``https://127.0.0.1:15000``; the LFN
    is appended."""


class Instance(BaseModel):
    """Addresses, sites and versions of one system; holds no secrets."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: int = 1
    vo: str = "ctao"
    storage: StorageKind = StorageKind.POSIX
    """Chosen when the system is made."""
    endpoints: dict[str, Endpoint] = Field(default_factory=dict)
    """By service name: ``postgres``, ``cache``, ``rucio-server``, ``rucio-daemons``, ``transfers``,
    ``ingest``, ``workload``, ``storage-<rse>``."""
    database_url: str | None = None
    """A PostgreSQL that is run by others, without its password (secret ``postgres``)."""
    sites: tuple[SiteStorage, ...] = ()
    computing_storage: str = "CSCS"
    """RSE close to where jobs run: their outputs are written there first."""

    def endpoint(self, service: str) -> Endpoint:
        """Return the address of a service.

        Raises
        ------
        NotFound
            When this system has no such service.
        """
        try:
            return self.endpoints[service]
        except KeyError:
            raise NotFound(
                f"this system has no service {service!r}", next_step="run: dpps status", service=service
            ) from None

    def database(self, folder: StateFolder, name: str) -> str:
        """Return the SQLAlchemy URL of the database ``rucio`` or ``dpps``, with its password.

        The result is a secret: it belongs neither in logs nor on command lines.
        """
        password = quote(folder.secret("postgres"), safe="")
        if self.database_url:
            scheme, _, rest = self.database_url.partition("://")
            user, _, address = rest.rpartition("@")
            return f"{scheme}://{user}:{password}@{address.rsplit('/', 1)[0]}/{name}"
        server = self.endpoint("postgres")
        return f"postgresql+psycopg://dpps:{password}@{server.host}:{server.port}/{name}"

    @classmethod
    def load(cls, folder: StateFolder) -> Instance:
        """Read the description of the system in a state folder.

        Raises
        ------
        NotFound
            When the folder holds no system.
        InvalidInput
            When the description is damaged, of another version, or closed to us.
        """
        path = folder.instance_file
        try:
            return cls.model_validate_json(path.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            raise NotFound(
                f"there is no system in {folder.root}",
                code="no-system",
                next_step=f"start one with: dpps up --state {folder.root}",
                state=folder.root,
            ) from None
        except ValidationError as wrong:
            raise InvalidInput(
                f"{path} cannot be read: {wrong.error_count()} errors, first: {wrong.errors()[0]['msg']}",
                code="instance-damaged",
                next_step="restore it from a backup, or start afresh with another --state",
                path=path,
            ) from wrong
        except OSError as failure:
            raise InvalidInput(
                f"{path} cannot be read: {failure.strerror}",
                code="instance-unreadable",
                next_step="run as the user who started the system, or name another folder with --state",
                path=path,
            ) from failure

    def save(self, folder: StateFolder) -> None:
        """Write the description, whole or not at all."""
        write_atomically(folder.instance_file, self.model_dump_json(indent=2) + "\n")


def write_atomically(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Replace a file by new text so that a reader sees the old or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
