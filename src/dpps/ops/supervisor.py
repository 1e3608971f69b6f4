"""The supervisor: starts the services in order, keeps them running, stops them in reverse.

Started detached by ``dpps up``: ``python -m dpps.ops.supervisor --state DIR --lock FD [--only NAME …]``.
It holds the lock of the state folder for as long as it lives.
"""

from __future__ import annotations

import argparse
import os
import signal
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread
import structlog

from dpps.composition.instance import Instance
from dpps.composition.state import StateFolder
from dpps.composition.telemetry import configure_logging
from dpps.domain.errors import DppsError
from dpps.ops import logs, processes
from dpps.ops.managed import ManagedService
from dpps.ops.metrics import serve_metrics
from dpps.ops.service import Service, select, start_order
from dpps.ops.status import SystemStatus, write_status
from dpps.ops.table import services

__all__ = ["Supervisor", "main"]

_HOUSEKEEPING_SECONDS = 30.0
_STATUS_RETRY_SECONDS = 1.0

logger = structlog.get_logger(__name__)


class Supervisor:
    """Runs a set of services until it is told to stop."""

    def __init__(self, folder: StateFolder, instance: Instance, table: Sequence[Service]) -> None:
        self._folder = folder
        self._instance = instance
        self._waves = start_order(table)
        self._status_is_owed = False
        self._managed = {
            service.name: ManagedService(service, folder.root, folder.log(service.name), self._write_status)
            for service in table
        }

    @property
    def services(self) -> tuple[ManagedService, ...]:
        """All services, in the order of the table."""
        return tuple(self._managed.values())

    def status(self) -> SystemStatus:
        """Return the state of everything."""
        return SystemStatus(
            state_folder=self._folder.root,
            supervisor_pid=os.getpid(),
            metrics_url=f"{self._instance.endpoint('supervisor').url}/metrics",
            services=tuple(managed.status() for managed in self.services),
        )

    def _write_status(self) -> None:
        """Tell others how things are; a full disk ends nothing, it is told when there is room."""
        try:
            write_status(self._folder, self.status())
        except OSError as failure:
            if not self._status_is_owed:
                logger.warning("the status cannot be written", reason=failure.strerror)
            self._status_is_owed = True
        else:
            self._status_is_owed = False

    async def _pay_status(self) -> None:
        while True:
            await anyio.sleep(_STATUS_RETRY_SECONDS)
            if self._status_is_owed:
                self._write_status()

    async def run(self) -> None:
        """Start everything, wait for SIGTERM or SIGINT, stop everything."""
        self._write_status()
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async with anyio.create_task_group() as group:
                for managed in self.services:
                    needed = [self._managed[name] for name in managed.service.depends_on]
                    group.start_soon(managed.run, needed)
                group.start_soon(self._keep_house)
                group.start_soon(self._pay_status)
                async for number in signals:
                    logger.info("stopping", signal=number.name)
                    break
                await self._stop()
                group.cancel_scope.cancel()
        logger.info("stopped")

    async def _stop(self) -> None:
        for wave in reversed(self._waves):
            async with anyio.create_task_group() as group:
                for name in wave:
                    group.start_soon(self._managed[name].stop)

    async def _keep_house(self) -> None:
        """Collect adopted orphans that ended, and keep log files from filling the disk."""
        while True:
            await anyio.sleep(_HOUSEKEEPING_SECONDS)
            processes.reap({managed.pid for managed in self.services if managed.pid})
            for path in self._folder.logs.glob("*.log"):
                try:
                    if await anyio.to_thread.run_sync(partial(logs.rotate, path)):
                        logger.info("log file started anew", path=str(path))
                except OSError as failure:
                    logger.warning(
                        "a log file cannot be started anew", path=str(path), reason=failure.strerror
                    )


async def _supervise(folder: StateFolder, instance: Instance, table: Sequence[Service]) -> None:
    supervisor = Supervisor(folder, instance, table)
    serve_metrics(supervisor.services, instance.endpoint("supervisor"))
    await supervisor.run()


def main(arguments: list[str] | None = None) -> None:
    """Supervise until told to stop."""
    parser = argparse.ArgumentParser(prog="dpps supervisor")
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--lock", type=int, required=True, help="descriptor of the locked lock file")
    parser.add_argument("--only", nargs="*", default=[])
    given = parser.parse_args(arguments)
    os.set_inheritable(given.lock, False)
    configure_logging("supervisor")
    folder = StateFolder(given.state)
    try:
        instance = Instance.load(folder)
        table = services(folder, instance)
        if given.only:
            table = select(table, given.only)
        processes.become_subreaper()
        anyio.run(_supervise, folder, instance, table)
    except DppsError as error:
        logger.critical(error.message, **error.as_dict())
        raise SystemExit(error.exit_code) from error


if __name__ == "__main__":
    main()
