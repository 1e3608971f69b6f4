"""Processes of services: starting, measuring, and making sure that none is left behind."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import psutil

from dpps.ops import launch
from dpps.ops.service import Service

__all__ = [
    "MARK",
    "SERVICE_MARK",
    "become_subreaper",
    "end_all",
    "launch_command",
    "leftovers",
    "memory_bytes",
    "of_service",
    "reap",
    "tree",
]

MARK = "DPPS_SUPERVISED_STATE"
"""Environment variable by which every process of a system is known: holds its state folder."""
SERVICE_MARK = "DPPS_SERVICE"
_PR_SET_CHILD_SUBREAPER = 36
_GONE = (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess)


def become_subreaper() -> None:
    """Adopt orphans among our descendants, so that we see them and can end them."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def launch_command(service: Service) -> list[str]:
    """Return the command that becomes the service and dies with this process."""
    return [
        sys.executable, "-I", "-S", launch.__file__,
        str(os.getpid()), str(int(service.stop_signal)), service.user or "-", *service.command,
    ]  # fmt: skip


def tree(pid: int) -> list[psutil.Process]:
    """Return a process and its descendants; empty when it is gone."""
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except _GONE:
        return []


def memory_bytes(processes: Iterable[psutil.Process]) -> int:
    """Return the memory of processes: proportional set size, which counts shared pages once."""
    total = 0
    for process in processes:
        try:
            total += process.memory_full_info().pss
        except _GONE:
            continue
    return total


def of_service(state: Path, service: str | None = None) -> Iterator[psutil.Process]:
    """Yield all processes that carry the mark of a system, and of one service of it."""
    ourselves = os.getpid()
    for process in psutil.process_iter():
        try:
            environment = process.environ()
        except (*_GONE, OSError):
            continue
        if process.pid == ourselves or environment.get(MARK) != str(state):
            continue
        if service is None or environment.get(SERVICE_MARK) == service:
            yield process


def leftovers(state: Path, database: Path) -> list[psutil.Process]:
    """Return what a supervisor that was killed has left: marked processes, and the database server."""
    found = {process.pid: process for process in of_service(state)}
    try:
        # PostgreSQL overwrites its environment with its title, so it is known by its own record.
        server = psutil.Process(int((database / "postmaster.pid").read_text().split()[0]))
        if server.pid != os.getpid() and str(database) in server.cmdline():
            found.update({process.pid: process for process in tree(server.pid)})
    except (OSError, ValueError, IndexError, *_GONE):
        pass
    return list(found.values())


def end_all(processes: Iterable[psutil.Process], *, patience_seconds: float) -> None:
    """End processes: ask first (fast, for the database server), kill what does not obey."""
    remaining = list(processes)
    for process in remaining:
        try:
            is_database = process.name() == "postgres"
            process.send_signal(signal.SIGINT if is_database else signal.SIGTERM)
        except _GONE:
            continue
    _, remaining = psutil.wait_procs(remaining, timeout=patience_seconds)
    for process in remaining:
        try:
            process.kill()
        except _GONE:
            continue
    psutil.wait_procs(remaining, timeout=patience_seconds)


def reap(managed: set[int]) -> None:
    """Collect adopted orphans that have ended; `managed` children are collected by those who started them."""
    for child in psutil.Process().children():
        if child.pid in managed:
            continue
        try:
            if child.status() == psutil.STATUS_ZOMBIE:
                os.waitpid(child.pid, os.WNOHANG)
        except (*_GONE, ChildProcessError):
            continue
