"""The state folder: everything that one running system keeps, in one place.

============================  =====================================================================
``instance.json``             addresses, sites, versions; no secrets
``secrets/<name>``            one secret a file, readable by the owner only
``certificates/<name>/``      certificate and key of one service; ``authority/`` has signed them all
``config/``                   configuration files of the engines, and ``policy.yaml`` where overridden
``postgres/``                 the database cluster
``storage/<RSE>/``            POSIX storage elements
``handover/``                 the default hand-over folder
``work/``                     sandboxes of jobs
``logs/<service>.log``        JSON lines
``programs/``                 copies of programs that the service user cannot reach otherwise
``run/``                      lock, process numbers and live state of the supervisor
============================  =====================================================================
"""

from __future__ import annotations

import contextlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from dpps.domain.errors import InvalidInput, NotFound

__all__ = ["StateFolder", "default_state_folder"]

_VARIABLE = "DPPS_STATE"


def default_state_folder() -> Path:
    """Return the folder named by ``DPPS_STATE``, else the user's state folder for ``dpps``.

    For root it is ``/var/lib/dpps``: PostgreSQL drops to a service user, who cannot enter root's home.
    """
    named = os.environ.get(_VARIABLE)
    if named:
        return Path(named)
    if os.geteuid() == 0:
        return Path("/var/lib/dpps")
    import platformdirs

    return Path(platformdirs.user_state_dir("dpps"))


@dataclass(frozen=True, slots=True)
class StateFolder:
    """Paths below the state folder, and its secrets."""

    root: Path

    @property
    def instance_file(self) -> Path:
        """Description of the running system."""
        return self.root / "instance.json"

    @property
    def config(self) -> Path:
        """Configuration files of the engines."""
        return self.root / "config"

    @property
    def database(self) -> Path:
        """Data folder of the database cluster."""
        return self.root / "postgres"

    @property
    def handover(self) -> Path:
        """Hand-over folder that the ingest service watches by default."""
        return self.root / "handover"

    @property
    def work(self) -> Path:
        """Sandboxes of jobs."""
        return self.root / "work"

    @property
    def certificates(self) -> Path:
        """Certificates of the services, and of the authority that has signed them."""
        return self.root / "certificates"

    def credential(self, name: str) -> Path:
        """Return the file that holds both certificate and key of a client."""
        return self.certificates / name / "credential.pem"

    @property
    def run(self) -> Path:
        """Live state of the supervisor."""
        return self.root / "run"

    @property
    def logs(self) -> Path:
        """Log files."""
        return self.root / "logs"

    @property
    def programs(self) -> Path:
        """Copies of programs that the service user could not reach where they are installed."""
        return self.root / "programs"

    @property
    def rucio_client_config(self) -> Path:
        """``rucio.cfg`` for clients: addresses and policy, no credentials."""
        return self.config / "rucio-client.cfg"

    def log(self, service: str) -> Path:
        """Return the log file of a service."""
        return self.logs / f"{service}.log"

    def storage(self, rse: str) -> Path:
        """Return the root of a POSIX storage element."""
        return self.root / "storage" / rse

    def secret(self, name: str) -> str:
        """Return a secret.

        Raises
        ------
        NotFound
            When the system has no such secret.
        """
        try:
            return (self.root / "secrets" / name).read_text().strip()
        except FileNotFoundError as missing:
            raise NotFound(
                f"{self.root} holds no secret named {name!r}",
                code="secret-missing",
                next_step=f"run: dpps up --state {self.root}",
                secret=name,
            ) from missing
        except PermissionError as refused:
            raise InvalidInput(
                f"the secrets in {self.root} belong to another user",
                code="state-not-ours",
                next_step="run as the user who started the system, or name another folder with --state",
            ) from refused

    def ensure_secret(self, name: str) -> str:
        """Return a secret, making a random one on first use."""
        path = self.root / "secrets" / name
        if not path.exists():
            # Linked into place when complete: being killed here must not leave an empty secret behind.
            temporary = self._write_secret(name, secrets.token_urlsafe(32))
            with contextlib.suppress(FileExistsError):
                path.hardlink_to(temporary)
            temporary.unlink()
        return self.secret(name)

    def set_secret(self, name: str, value: str) -> None:
        """Replace a secret, whole or not at all."""
        self._write_secret(name, value).replace(self.root / "secrets" / name)

    def _write_secret(self, name: str, value: str) -> Path:
        temporary = self.root / "secrets" / f".{name}.{os.getpid()}.{secrets.token_hex(4)}"
        temporary.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            stream.write(value)
        return temporary
