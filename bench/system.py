"""A whole system for a measurement: started in a folder of its own, and what one needs to know of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg

from dpps.composition.instance import Instance
from dpps.composition.state import StateFolder, default_state_folder

__all__ = [
    "catalogue_database",
    "cpu_seconds",
    "dpps",
    "drop_from_cache",
    "memory_bytes",
    "own_system",
    "paused",
    "scratch",
]

_DPPS = Path(sys.prefix) / "bin" / "dpps"
_SETTLED = ("rucio-daemons", "transfers", "preservation", "workload", "ingest")
"""Services that work beside the one that is measured."""


def dpps(*arguments: str) -> str:
    """Run ``dpps`` and return what it prints; an error ends the benchmark."""
    done = subprocess.run([str(_DPPS), *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"dpps {' '.join(arguments)} failed:\n{done.stderr}")
    return done.stdout


@contextmanager
def scratch() -> Iterator[Path]:
    """Make a folder that the service user can enter, and remove it afterwards."""
    parent = default_state_folder().parent
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="dpps-bench-", dir=parent) as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@contextmanager
def own_system(*options: str) -> Iterator[StateFolder]:
    """Start a system from nothing, and stop it afterwards.

    Parameters
    ----------
    *options : str
        More options of ``dpps up``.
    """
    with scratch() as folder:
        state = StateFolder(folder / "system")
        # A benchmark that is told to end takes its system with it.
        signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(1))
        dpps("up", "--state", str(state.root), *options)
        try:
            yield state
        finally:
            dpps("down", "--state", str(state.root))


def _processes(folder: StateFolder, names: tuple[str, ...]) -> list[psutil.Process]:
    status = json.loads((folder.run / "status.json").read_text())
    found: list[psutil.Process] = []
    for service in status["services"]:
        if service["name"] in names and service["pid"]:
            process = psutil.Process(service["pid"])
            found += [process, *process.children(recursive=True)]
    return found


@contextmanager
def paused(folder: StateFolder, services: tuple[str, ...] = _SETTLED) -> Iterator[None]:
    """Hold services still, so that only what is measured works."""
    held = _processes(folder, services)
    try:
        for process in held:
            process.suspend()
        yield
    finally:
        for process in held:
            process.resume()


def cpu_seconds(folder: StateFolder, *services: str) -> float:
    """Return the processor time that services, this process and its children have used until now.

    Unlike a rate it hardly depends on what else the machine does.
    """
    this = psutil.Process()
    processes = [this, *this.children(recursive=True), *_processes(folder, services)]
    used = 0.0
    for process in dict.fromkeys(processes):
        with suppress(psutil.NoSuchProcess):  # a connection's process may have ended since they were listed
            used += sum(process.cpu_times()[:2])
    return used


def memory_bytes(folder: StateFolder, service: str) -> int:
    """Return the memory that a service has for itself and its share of what it shares (PSS)."""
    return sum(int(process.memory_full_info().pss) for process in _processes(folder, (service,)))


@contextmanager
def catalogue_database(folder: StateFolder) -> Iterator[psycopg.Connection[Any]]:
    """Connect to the catalogue's database itself: answers that do not go through our code."""
    url = Instance.load(folder).database(folder, "rucio").replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


def drop_from_cache(path: Path) -> None:
    """Have the operating system forget the content of a file, so that the next reader goes to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)
