"""What is missing or wrong on this machine or in a state folder, and the command that mends it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from dpps.composition.instance import Endpoint, Instance
from dpps.composition.state import StateFolder
from dpps.domain.errors import DppsError, NotFound
from dpps.ops import ports
from dpps.ops.postgres import check_version
from dpps.ops.prepare import check_folder, refuse_strange_folder
from dpps.ops.programs import environment_python, memcached, postgres_programs, service_user
from dpps.ops.status import read_status

__all__ = ["Finding", "examine"]

_PIPELINES_IMPORT = "import ctapipe, protozfits"
_CATALOGUE_IMPORT = "import rucio.alembicrevision, gunicorn, psycopg, structlog, bdms_rucio_policy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    good: bool
    message: str
    mend: str = ""
    """The exact command, where one helps."""
    required: bool = True
    """False for what only makes the system better."""

    def as_dict(self) -> dict[str, object]:
        """Return the finding as plain data."""
        return asdict(self)


def examine(folder: StateFolder) -> list[Finding]:
    """Look at everything that a start needs; changes nothing.

    Returns
    -------
    list of Finding
        One for each thing, good or not.
    """
    return [
        _tried("python", _python),
        _tried("environment rucio", lambda: _environment("rucio", _CATALOGUE_IMPORT)),
        _tried("environment pipelines", lambda: _environment("pipelines", _PIPELINES_IMPORT)),
        _tried("postgresql", lambda: _postgresql(folder)),
        _memcached(),
        _node(),
        _tried("state folder", lambda: _state_folder(folder)),
        *_ports(folder),
    ]


def _tried(subject: str, look: Callable[[], str]) -> Finding:
    """Turn what `look` returns or raises into a finding."""
    try:
        return Finding(subject=subject, good=True, message=look())
    except DppsError as error:
        return Finding(subject=subject, good=False, message=error.message, mend=error.next_step)


def _python() -> str:
    return f"Python {sys.version.split()[0]} in {sys.prefix}"


def _environment(name: str, check: str) -> str:
    python = environment_python(name)
    answer = subprocess.run([python, "-c", check], capture_output=True, text=True, timeout=120)
    if answer.returncode != 0:
        last = (answer.stderr.strip().splitlines() or ["no output"])[-1]
        raise NotFound(
            f"{python.parents[1]} is incomplete: {last}",
            next_step=f"run: rm -rf {python.parents[1]} && scripts/setup {name}",
        )
    return str(python.parents[1])


def _postgresql(folder: StateFolder) -> str:
    programs = postgres_programs(folder.database)
    check_version(programs, folder.database)
    service_user()
    return f"PostgreSQL {programs.major} in {programs.folder}"


def _memcached() -> Finding:
    program = memcached()
    return Finding(
        subject="cache",
        good=program is not None,
        message=str(program) if program else "memcached is not installed: large rules take twice as long",
        mend="" if program else "run: apt-get install memcached",
        required=False,
    )


def _node() -> Finding:
    own = Path(sys.prefix) / "bin" / "node"
    program = str(own) if own.exists() else shutil.which("node")
    return Finding(
        subject="node",
        good=program is not None,
        message=program or "there is no JavaScript engine: CWL expressions cannot be evaluated",
        mend="" if program else "run: scripts/setup core",
    )


def _state_folder(folder: StateFolder) -> str:
    refuse_strange_folder(folder.root)
    existing = next(path for path in (folder.root, *folder.root.parents) if path.exists())
    if not os.access(existing, os.W_OK | os.X_OK):
        raise NotFound(
            f"{existing} cannot be written by us",
            next_step="name a folder that you may write with --state",
        )
    check_folder(folder, service_user())
    free_bytes = shutil.disk_usage(existing).free
    return f"{folder.root}, {free_bytes / 1024**3:.1f} GB free"


def _ports(folder: StateFolder) -> Iterator[Finding]:
    """Look whether strangers hold the recorded ports; while the system runs they are its own."""
    try:
        instance = Instance.load(folder)
        status = read_status(folder)
    except NotFound:
        yield Finding(
            subject="ports", good=True, message="none chosen yet: there is no system in this folder"
        )
        return
    except DppsError as error:
        yield Finding(subject="instance", good=False, message=error.message, mend=error.next_step)
        return
    if status is not None and status.running:
        yield Finding(subject="ports", good=True, message="held by the running system")
        return
    taken = [
        finding
        for name, endpoint in instance.endpoints.items()
        if not (finding := _tried(f"port of {name}", partial(_free_port, name, endpoint))).good
    ]
    yield from taken
    if not taken:
        yield Finding(subject="ports", good=True, message=f"all {len(instance.endpoints)} are free")


def _free_port(service: str, endpoint: Endpoint) -> str:
    ports.assert_free(service, endpoint)
    return "free"
