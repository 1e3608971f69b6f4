"""The threads that move files: workers, and one that keeps their session with the queue alive."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog

from dpps.data.transfers.decisions import decide
from dpps.data.transfers.failures import Failure, FailureClass
from dpps.data.transfers.limits import LimitsStore
from dpps.data.transfers.mover import Abandoned, transfer
from dpps.data.transfers.ports import TransferQueue, TransferStorage, WorkerSession
from dpps.data.transfers.records import Claim, Settlement
from dpps.data.transfers.states import FileState
from dpps.domain.errors import Conflict, DppsError, Unavailable

__all__ = ["Crew"]

Record = Callable[[Claim, Settlement, float], None]

_LOOK_SECONDS = 1.0
"""How often a running copy asks whether it is still wanted; how long stopping may take."""
_RECOVER_SECONDS = 30.0
"""How often the files of other dead movers are looked for."""
_PURGE_SECONDS = 3600.0
_IDLE_SECONDS = 60.0
_RECONNECT_SECONDS_MAX = 5.0


class Crew:
    """Moves the files of a queue until stopped, through restarts of the database.

    Parameters
    ----------
    queue, limits, storage : TransferQueue, LimitsStore, TransferStorage
        What to work with.
    prepare : callable
        Called before the first use of the queue, again until it succeeds.
    workers : int
        Files moved at the same time.
    memory : datetime.timedelta
        Age at which finished jobs are forgotten.
    record : callable
        Told of every settled attempt and its seconds.
    """

    def __init__(
        self,
        queue: TransferQueue,
        limits: LimitsStore,
        storage: TransferStorage,
        *,
        prepare: Callable[[], None],
        workers: int,
        memory: timedelta,
        record: Record,
    ) -> None:
        self._queue, self._limits, self._storage = queue, limits, storage
        self._prepare: Callable[[], None] | None = prepare
        self._memory, self._record = memory, record
        self._log = structlog.get_logger(__name__)
        self._stopping = threading.Event()
        self._changed = threading.Condition()
        self._changes = 0
        self._number: int | None = None
        self._problem: str | None = "starting"
        self._threads = [_thread("transfers-session", self._keep_session)]
        self._threads += [_thread(f"transfers-worker-{index}", self._work) for index in range(workers)]

    @property
    def problem(self) -> str | None:
        """Why no file is moved now; None when all is well."""
        return self._problem

    def start(self) -> None:
        """Begin; returns at once."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Give back what is being moved, remove its temporary copies and end."""
        self._stopping.set()
        self._announce()
        for thread in self._threads:
            thread.join()

    def _keep_session(self) -> None:
        delay_seconds = 0.1
        while not self._stopping.is_set():
            try:
                session = self._begin()
                delay_seconds = 0.1
                try:
                    self._follow(session)
                finally:
                    session.close()
            except DppsError as error:
                self._problem = error.message
                self._log.warning("the queue is out of reach", code=error.code, reason=error.message)
            except Exception as error:
                # A bug must show in the health check, not as a service that silently does nothing.
                self._problem = f"unexpected error: {type(error).__name__}: {error}"
                self._log.exception("unexpected error while keeping the session")
            self._stopping.wait(delay_seconds)
            delay_seconds = min(delay_seconds * 2, _RECONNECT_SECONDS_MAX)

    def _begin(self) -> WorkerSession:
        if self._prepare is not None:
            self._prepare()
            self._prepare = None
        try:
            session = self._queue.enrol(self._number)
        except Conflict:
            # The database has not noticed yet that the connection of before is dead.
            session = self._queue.enrol()
        self._number = session.number
        return session

    def _follow(self, session: WorkerSession) -> None:
        recover_at = purge_at = 0.0
        while not self._stopping.is_set():
            if time.monotonic() >= recover_at:
                recovered = self._queue.recover(_now())
                if recovered:
                    self._log.warning("files of a dead worker taken up again", files=recovered)
                self._end_waiting_for_the_banned()
                recover_at = time.monotonic() + _RECOVER_SECONDS
                if self._problem is not None:
                    self._problem = None
                    self._log.info("ready", worker=session.number)
                    self._announce()
            if time.monotonic() >= purge_at:
                self._queue.purge(_now() - self._memory)
                purge_at = time.monotonic() + _PURGE_SECONDS
            if session.wait(_LOOK_SECONDS):
                self._announce()

    def _end_waiting_for_the_banned(self) -> None:
        """Cancel what has waited for a banned storage for as long as the ban allows."""
        now = _now()
        for ban in self._limits.limits().bans:
            patience = timedelta(seconds=ban.timeout_seconds)
            if ban.timeout_seconds and ban.banned_at + patience <= now:
                self._queue.cancel_for_storage(ban.storage, f"the storage is banned: {ban.message}", now)

    def _announce(self) -> None:
        with self._changed:
            self._changes += 1
            self._changed.notify_all()

    def _work(self) -> None:
        while not self._stopping.is_set():
            changes = self._changes
            try:
                claim = self._claim()
                if claim is None:
                    self._idle(changes)
            except Unavailable:
                # The thread that keeps the session says why, and announces the return of the queue.
                self._stopping.wait(_LOOK_SECONDS)
            except Exception:
                self._log.exception("unexpected error while looking for work")
                self._stopping.wait(_LOOK_SECONDS)
            else:
                if claim is not None:
                    self._move(claim)

    def _claim(self) -> Claim | None:
        if self._problem is not None or self._number is None:
            return None
        return self._queue.claim(self._number, _now())

    def _idle(self, changes: int) -> None:
        seconds = _IDLE_SECONDS
        if self._problem is None:
            due_at = self._queue.summary().next_due_at
            if due_at is not None:
                # What is due and was not claimed waits for another copy to the same destination.
                seconds = min(max((due_at - _now()).total_seconds(), _LOOK_SECONDS), _IDLE_SECONDS)
        with self._changed:
            if self._changes == changes:
                self._changed.wait(seconds)

    def _move(self, claim: Claim) -> None:
        began = time.monotonic()
        with structlog.contextvars.bound_contextvars(
            file=claim.file_id, claim=claim.number, destination=claim.request.destination
        ):
            try:
                proceed = _Proceed(self._queue, claim, self._stopping)
                settlement, _failure = transfer(claim, self._storage, proceed, _now)
            except Exception as error:
                self._log.exception("unexpected error while moving a file")
                reason = f"unexpected: {type(error).__name__}: {error}"
                failure = Failure(kind=FailureClass.UNEXPECTED, reason=reason)
                settlement = decide(failure, claim, _now())
            if self._settle(claim, settlement):
                self._record(claim, settlement, time.monotonic() - began)
                self._tell(claim, settlement)

    def _settle(self, claim: Claim, settlement: Settlement) -> bool:
        """Settle, however long the database takes to return; left undone, recovery finds the file."""
        while True:
            try:
                return self._queue.settle(claim, settlement, _now())
            except Unavailable:
                if self._stopping.wait(_LOOK_SECONDS):
                    return False

    def _tell(self, claim: Claim, settlement: Settlement) -> None:
        tell = self._log.info if settlement.state is FileState.FINISHED else self._log.warning
        tell("transfer " + settlement.state.value.lower(), reason=settlement.reason, source=claim.source)


class _Proceed:
    """Called between the chunks of a copy: ends it when it is no longer wanted here."""

    def __init__(self, queue: TransferQueue, claim: Claim, stopping: threading.Event) -> None:
        self._queue, self._claim, self._stopping = queue, claim, stopping
        self._look_at = time.monotonic() + _LOOK_SECONDS

    def __call__(self) -> None:
        if self._stopping.is_set():
            raise Abandoned(
                Settlement(
                    state=FileState.SUBMITTED, reason="the service stopped", due_at=_now(), counted=False
                )
            )
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + _LOOK_SECONDS
            if self._unwanted():
                raise Abandoned(Settlement(state=FileState.CANCELED, reason="canceled on request"))

    def _unwanted(self) -> bool:
        try:
            return self._queue.cancel_requested(self._claim)
        except Unavailable:
            # Bytes need no database: the answer can wait, the copy need not.
            return False


def _thread(name: str, work: Callable[[], None]) -> threading.Thread:
    """Return a thread whose log lines carry what is bound here."""
    return threading.Thread(target=contextvars.copy_context().run, args=(work,), name=name)


def _now() -> datetime:
    return datetime.now(UTC)
