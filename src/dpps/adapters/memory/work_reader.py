"""Reading from the work store in memory."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from dpps.adapters.memory.work_unfinished import unfinished_work
from dpps.domain.errors import NotFound
from dpps.domain.work import JobState, TaskState, is_final
from dpps.workload.records import (
    AuditEntry,
    Counts,
    Job,
    LineageEntry,
    OutboxEntry,
    Production,
    Task,
    Transformation,
    UnfinishedWork,
)

__all__ = ["MemoryWorkReader"]


class MemoryWorkReader:
    """The half of the work store that changes nothing, and the records."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._productions: dict[str, Production] = {}
        self._transformations: dict[str, Transformation] = {}
        self._tasks: dict[str, Task] = {}
        self._jobs: dict[str, Job] = {}
        self._winners: dict[str, str] = {}
        self._outbox: dict[str, tuple[datetime, OutboxEntry]] = {}
        self._taken: dict[tuple[str, str], str] = {}
        self._products: dict[str, LineageEntry] = {}
        self._promised: dict[str, str] = {}
        self._audit: list[AuditEntry] = []
        self._listeners: list[Callable[[], None]] = []

    def productions(self) -> list[Production]:
        """Return every production, the newest first."""
        with self._lock:
            return sorted(self._productions.values(), key=lambda known: known.created_at, reverse=True)

    def production(self, name: str) -> Production:
        """Return one production."""
        return self._one("production", self._productions, name)

    def transformations(self, production: str) -> list[Transformation]:
        """Return the transformations of a production in the order of its file."""
        with self._lock:
            own = [known for known in self._transformations.values() if known.production == production]
            return sorted(own, key=lambda known: known.position)

    def transformation(self, transformation: str) -> Transformation:
        """Return one transformation."""
        return self._one("transformation", self._transformations, transformation)

    def tasks(self, transformation: str, states: Sequence[TaskState] = ()) -> list[Task]:
        """Return the tasks of a transformation by number; only those in the states, when given."""
        with self._lock:
            own = [known for known in self._tasks.values() if known.transformation == transformation]
            return sorted(
                (known for known in own if not states or known.state in states),
                key=lambda known: known.number,
            )

    def task(self, task: str) -> Task:
        """Return one task."""
        return self._one("task", self._tasks, task)

    def jobs(self, task: str) -> list[Job]:
        """Return the jobs of a task by attempt."""
        with self._lock:
            own = [self._with_winner(known) for known in self._jobs.values() if known.task == task]
            return sorted(own, key=lambda known: known.attempt)

    def job(self, job: str) -> Job:
        """Return one job."""
        with self._lock:
            return self._with_winner(self._one("job", self._jobs, job))

    def cancelled_jobs(self, among: Collection[str]) -> frozenset[str]:
        """Return those of some jobs whose tasks were cancelled."""
        with self._lock:
            return frozenset(
                job
                for job in among
                if job in self._jobs and self._tasks[self._jobs[job].task].state is TaskState.CANCELLED
            )

    def unfinished(self, *, ready_limit: int) -> UnfinishedWork:
        """Return what is not finished; of the ready tasks the ``ready_limit`` most urgent."""
        with self._lock:
            return unfinished_work(
                productions=self._productions,
                transformations=self._transformations,
                tasks=self._tasks,
                jobs=self._jobs,
                products=self._products,
                taken=self._taken,
                ready_limit=ready_limit,
            )

    def counts(self) -> Counts:
        """Return numbers for monitoring."""
        with self._lock:
            jobs = self._jobs.values()
            return Counts(
                productions=Counter(known.state.value for known in self._productions.values()),
                tasks=Counter(known.state.value for known in self._tasks.values()),
                jobs=Counter(known.state.value for known in jobs),
                exit_reasons=Counter(known.exit_reason.value for known in jobs if known.exit_reason),
                outbox=len(self._outbox),
                outbox_oldest_at=min((created for created, _ in self._outbox.values()), default=None),
            )

    def audit(self, production: str) -> list[AuditEntry]:
        """Return every state change in a production, the oldest first."""
        with self._lock:
            return [entry for entry in self._audit if entry.subject.split(".")[0] == production]

    def lineage(self, production: str) -> list[LineageEntry]:
        """Return the published products of a production, by name."""
        with self._lock:
            own = [entry for entry in self._products.values() if entry.task.split(".")[0] == production]
            return sorted(own, key=lambda entry: entry.lfn)

    def outbox(self, due: datetime, *, limit: int) -> list[OutboxEntry]:
        """Return winners to publish whose time has come, the oldest first."""
        with self._lock:
            waiting = sorted(self._outbox.values(), key=lambda pair: (pair[0], pair[1].task))
            return [entry for _, entry in waiting if entry.next_try_at <= due][:limit]

    def next_due(self) -> datetime | None:
        """Return when the next outbox entry is due, or None when the outbox is empty."""
        with self._lock:
            return min((entry.next_try_at for _, entry in self._outbox.values()), default=None)

    def to_clean(self, *, limit: int) -> list[Job]:
        """Return ended jobs whose temporary files are to be deleted."""
        with self._lock:
            return [self._with_winner(known) for known in self._jobs.values() if self._is_rubbish(known)][
                :limit
            ]

    def _is_rubbish(self, job: Job) -> bool:
        finished = is_final(self._tasks[job.task].state)
        won = self._winners.get(job.task) == job.id
        ended = job.state in (JobState.FAILED, JobState.SUCCEEDED) or (
            job.state is JobState.LOST and finished
        )
        return not job.cleaned and ended and (finished or not won)

    def _with_winner(self, job: Job) -> Job:
        return replace(job, won=self._winners.get(job.task) == job.id)

    def _one[Record](self, kind: str, records: Mapping[str, Record], name: str) -> Record:
        with self._lock:
            if name in records:
                return records[name]
        raise NotFound(f"there is no {kind} {name!r}", next_step="run: dpps production list", name=name)
