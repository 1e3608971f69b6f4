"""One service under supervision: its process, its state, its restarts."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from subprocess import DEVNULL, STDOUT

import anyio
import anyio.to_thread
import structlog
from anyio.abc import Process

from dpps.ops import processes
from dpps.ops.logs import last_error
from dpps.ops.service import Service, ServiceState, assert_transition
from dpps.ops.status import ServiceStatus

__all__ = ["ManagedService"]

_FAST_PROBE_SECONDS = 0.15
_PROBE_SECONDS = 10.0
_PROBES_TO_UNREADY = 2

logger = structlog.get_logger(__name__)


class ManagedService:
    """Runs one service until it is told to stop, or gives up on it.

    Parameters
    ----------
    service : Service
        Its row of the table.
    state_folder : Path
        Marks its processes.
    log : Path
        Where its output goes.
    changed : callable
        Called after every change of state.
    """

    def __init__(self, service: Service, state_folder: Path, log: Path, changed: Callable[[], None]) -> None:
        self.service = service
        self.state = service.initial
        self.reason = service.reason
        self.restarts = 0
        self.start_seconds: float | None = None
        self.settled = anyio.Event()
        """Set when dependants may start, or when there is nothing more to wait for."""
        self._state_folder = state_folder
        self._log = log
        self._changed = changed
        self._process: Process | None = None
        self._started_at: datetime | None = None
        self._log_start = 0
        self._was_ready = False
        self._ready_since: float | None = None
        self._scope = anyio.CancelScope()
        self._ended = anyio.Event()

    @property
    def pid(self) -> int | None:
        """Number of the present process."""
        return self._process.pid if self._process else None

    def status(self) -> ServiceStatus:
        """Return what to tell others."""
        return ServiceStatus(
            name=self.service.name,
            purpose=self.service.purpose,
            state=self.state,
            reason=self.reason,
            pid=self.pid,
            started_at=self._started_at,
            start_seconds=self.start_seconds,
            restarts=self.restarts,
            address=self.service.endpoint and f"{self.service.endpoint.host}:{self.service.endpoint.port}",
        )

    def _enter(self, state: ServiceState, reason: str = "") -> None:
        if state is self.state and reason == self.reason:
            return
        if state is not self.state:
            assert_transition(self.service.name, self.state, state)
            logger.info(
                "service changed", target=self.service.name, state=state, was=self.state, reason=reason
            )
        self.state, self.reason = state, reason
        self._changed()

    async def run(self, dependencies: Sequence[ManagedService]) -> None:
        """Keep the service running; return when it was stopped, failed, or is not ours to run."""
        with self._scope:
            if self.state is ServiceState.WAITING:
                await self._await_dependencies(dependencies)
            elif self.state is ServiceState.EXTERNAL:
                await self._watch_external()
            if self.state is ServiceState.WAITING:
                await self._keep_running()
            self.settled.set()
        self._ended.set()

    async def _await_dependencies(self, dependencies: Sequence[ManagedService]) -> None:
        for dependency in dependencies:
            if not dependency.settled.is_set():
                self._enter(ServiceState.WAITING, f"waits for {dependency.service.name}")
            await dependency.settled.wait()
            if dependency.state is ServiceState.FAILED:
                self._enter(ServiceState.FAILED, f"{dependency.service.name}, which it needs, has failed")
                return

    async def _watch_external(self) -> None:
        while (reason := await self.service.probe()) is not None:
            self._enter(ServiceState.EXTERNAL, f"run by others; does not answer: {reason}")
            await anyio.sleep(1)
        self._enter(ServiceState.EXTERNAL, "run by others")

    async def _keep_running(self) -> None:
        policy, failures = self.service.restart, 0
        while True:
            code = await self._one_life()
            ready_seconds = time.monotonic() - self._ready_since if self._ready_since else 0.0
            failures = policy.failures(failures, ready_seconds)
            why = self._obituary(code)
            if policy.gives_up(failures, was_ready=self._was_ready):
                self._enter(ServiceState.FAILED, why)
                return
            delay = policy.delay_seconds(failures)
            self._enter(ServiceState.RESTARTING, f"restarting in {delay:g} s after {why}")
            await anyio.sleep(delay)
            self.restarts += 1

    async def _one_life(self) -> int:
        """Start the process, probe it while it lives, and return how it ended."""
        self._ready_since = None
        process = await self._spawn()
        self._enter(ServiceState.STARTING)
        async with anyio.create_task_group() as group:
            group.start_soon(self._probe_for_ever, process)
            code = await process.wait()
            group.cancel_scope.cancel()
        self._process = None
        await self._end_remains()
        return code

    async def _spawn(self) -> Process:
        environment = {
            **os.environ,
            **self.service.environment,
            processes.MARK: str(self._state_folder),
            processes.SERVICE_MARK: self.service.name,
        }
        with self._log.open("ab") as log:
            self._log_start = log.tell()
            self._process = await anyio.open_process(
                processes.launch_command(self.service), stdin=DEVNULL, stdout=log, stderr=STDOUT,
                env=environment, cwd="/", start_new_session=True,
            )  # fmt: skip
        self._started_at = datetime.now(UTC)
        return self._process

    async def _probe_for_ever(self, process: Process) -> None:
        started, failed_probes = time.monotonic(), 0
        while True:
            reason = await self.service.probe()
            if reason is None:
                failed_probes = 0
                self._note_ready(started)
            elif self._ready_since is None:
                self._enter(ServiceState.STARTING, reason)
                if time.monotonic() - started > self.service.start_seconds:
                    logger.error("not ready in time", target=self.service.name, reason=reason)
                    with contextlib.suppress(ProcessLookupError):  # it may have ended by itself meanwhile
                        process.kill()
            else:
                failed_probes += 1
                if failed_probes >= _PROBES_TO_UNREADY:
                    self._enter(ServiceState.UNREADY, reason)
            await anyio.sleep(_FAST_PROBE_SECONDS if self._probe_soon(failed_probes) else _PROBE_SECONDS)

    def _probe_soon(self, failed_probes: int) -> bool:
        return self._ready_since is None or 0 < failed_probes < _PROBES_TO_UNREADY

    def _note_ready(self, started: float) -> None:
        if self._ready_since is None:
            self._ready_since = time.monotonic()
            self.start_seconds = round(self._ready_since - started, 2)
        self._was_ready = True
        self._enter(ServiceState.READY)
        self.settled.set()

    def _obituary(self, code: int) -> str:
        how = f"exit code {code}" if code >= 0 else f"signal {-code}"
        words = last_error(self._log, since_byte=self._log_start)
        return f"{how}: {words}" if words else how

    async def stop(self) -> None:
        """Stop the service and everything that it started."""
        self._scope.cancel()
        await self._ended.wait()
        with anyio.CancelScope(shield=True):
            if self._process is not None:
                self._enter(ServiceState.STOPPING)
                await self._end(self._process)
                self._process = None
                await self._end_remains()
            if self.state not in {ServiceState.ABSENT, ServiceState.STOPPED}:
                self._enter(ServiceState.STOPPED)

    async def _end(self, process: Process) -> None:
        try:
            process.send_signal(self.service.stop_signal)
        except ProcessLookupError:
            return
        with anyio.move_on_after(self.service.stop_seconds):
            await process.wait()
            return
        logger.warning("killed, since it did not stop in time", target=self.service.name)
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()

    async def _end_remains(self) -> None:
        """End what the process has left behind: helpers of its own that outlive it."""
        await anyio.to_thread.run_sync(partial(_end_marked, self._state_folder, self.service.name))


def _end_marked(state_folder: Path, service: str) -> None:
    remains = list(processes.of_service(state_folder, service))
    if remains:
        logger.warning("ending processes left behind", target=service, processes=len(remains))
        processes.end_all(remains, patience_seconds=5)
