"""The database cluster: made once, checked at every start, its databases ensured when it answers."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dpps.composition.instance import Instance
from dpps.composition.state import StateFolder
from dpps.domain.errors import Conflict, StorageFull, Unavailable
from dpps.ops.programs import PostgresPrograms, ServiceUser

if TYPE_CHECKING:
    from psycopg import Connection

__all__ = ["DATABASES", "check_version", "ensure_cluster", "ensure_databases", "server_command"]

DATABASES = ("rucio", "dpps")
_ROLE = "dpps"
_ADMINISTRATOR = "postgres"


def server_command(programs: PostgresPrograms, data: Path, port: int) -> tuple[str, ...]:
    """Return the command of the server: loopback only, no socket file, sized for one machine."""
    settings = {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "port": str(port),
        "max_connections": "120",
        "shared_buffers": "128MB",
        "jit": "off",
        "max_wal_size": "2GB",
        "log_line_prefix": "%m [%p] ",
        "log_timezone": "UTC",
    }
    options = (part for name, value in settings.items() for part in ("-c", f"{name}={value}"))
    return (str(programs.folder / "postgres"), "-D", str(data), *options)


def check_version(programs: PostgresPrograms, data: Path) -> None:
    """Refuse a data folder of another major version than the programs.

    Raises
    ------
    Conflict
        Naming both versions and the way out.
    """
    try:
        found = int((data / "PG_VERSION").read_text())
    except FileNotFoundError:
        return
    if found != programs.major:
        raise Conflict(
            f"{data} was made by PostgreSQL {found}, but the programs here are PostgreSQL {programs.major}",
            code="postgresql-version",
            next_step=f"run: apt-get install postgresql-{found}   (or convert the folder with pg_upgrade)",
            data=data,
        )


def ensure_cluster(folder: StateFolder, programs: PostgresPrograms, user: ServiceUser | None) -> None:
    """Make the cluster unless it exists; whole or not at all.

    Raises
    ------
    Conflict
        When the folder's cluster is of another major version.
    StorageFull
        When the disk is full.
    Unavailable
        When ``initdb`` fails for another reason, with its last line.
    """
    check_version(programs, folder.database)
    if (folder.database / "PG_VERSION").exists():
        return
    unfinished = folder.root / "postgres.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    if user:
        os.chown(unfinished, user.uid, user.gid)
    _initdb(programs, unfinished, folder.ensure_secret("postgres-administrator"), user)
    unfinished.rename(folder.database)


def _initdb(programs: PostgresPrograms, data: Path, password: str, user: ServiceUser | None) -> None:
    # A file, since command lines are seen by everyone; initdb reads it as the service user.
    with tempfile.NamedTemporaryFile("w", dir=data.parent, prefix=".initdb.") as secret:
        secret.write(password)
        secret.flush()
        if user:
            os.chown(secret.name, user.uid, user.gid)
        command = [
            str(programs.folder / "initdb"), f"--pgdata={data}", f"--username={_ADMINISTRATOR}",
            f"--pwfile={secret.name}", "--encoding=UTF8", "--locale=C.UTF-8",
            "--auth=scram-sha-256", "--data-checksums",
        ]  # fmt: skip
        identity = {"user": user.uid, "group": user.gid, "extra_groups": []} if user else {}
        answer = subprocess.run(command, capture_output=True, text=True, cwd="/", **identity)  # type: ignore[call-overload]
    if answer.returncode == 0:
        return
    last = (answer.stderr.strip().splitlines() or ["no output"])[-1]
    if "No space left" in answer.stderr:
        raise StorageFull(
            f"the disk of {data.parent} is full: the database cluster could not be made",
            next_step=f"make room (df -h {data.parent}), then run: dpps up",
            path=data.parent,
        )
    raise Unavailable(
        f"initdb failed: {last}",
        code="initdb-failed",
        next_step="run: dpps doctor",
        retryable=False,
        path=data,
    )


def ensure_databases(folder: StateFolder, instance: Instance) -> str | None:
    """Make role and databases where absent; return why this is not possible yet, or None when done."""
    import psycopg

    try:
        if instance.database_url:
            return _foreign_databases(folder, instance)
        with psycopg.connect(
            _administrator_url(folder, instance), autocommit=True, connect_timeout=5
        ) as server:
            _ensure_role(server, folder.ensure_secret("postgres"))
            for name in DATABASES:
                _ensure_database(server, name, owner=_ROLE)
    except psycopg.Error as failure:
        return (str(failure).strip().splitlines() or [type(failure).__name__])[-1].strip()
    return None


def _administrator_url(folder: StateFolder, instance: Instance) -> str:
    server = instance.endpoint("postgres")
    password = folder.secret("postgres-administrator")
    return f"postgresql://{_ADMINISTRATOR}:{password}@{server.host}:{server.port}/postgres"


def _foreign_databases(folder: StateFolder, instance: Instance) -> str | None:
    """Make the databases on a server run by others, where the given role may; return what hinders it."""
    import psycopg

    address = instance.database(folder, "postgres").replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(address, autocommit=True, connect_timeout=5) as server:
        for name in DATABASES:
            try:
                _ensure_database(server, name, owner=None)
            except psycopg.errors.InsufficientPrivilege:
                return (
                    f"it has no database {name!r} and our role may not make it; "
                    f"let an administrator run: CREATE DATABASE {name} OWNER {server.info.user};"
                )
    return None


def _ensure_role(server: Connection[Any], password: str) -> None:
    from psycopg import sql

    verifier = server.pgconn.encrypt_password(password.encode(), _ROLE.encode(), b"scram-sha-256").decode()
    exists = server.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [_ROLE]).fetchone()
    verb = sql.SQL("ALTER" if exists else "CREATE")
    server.execute(
        sql.SQL("{} ROLE {} LOGIN PASSWORD {}").format(verb, sql.Identifier(_ROLE), sql.Literal(verifier))
    )


def _ensure_database(server: Connection[Any], name: str, *, owner: str | None) -> None:
    from psycopg import errors, sql

    if server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
        return
    command = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
    if owner:
        command += sql.SQL(" OWNER {}").format(sql.Identifier(owner))
    try:
        server.execute(command)
    except errors.DuplicateDatabase:
        return
