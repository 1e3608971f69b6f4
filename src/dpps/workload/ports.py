"""What workload management needs from the outside world."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from dpps.domain.work import ExitReason, JobState, ProductionState, TaskState, TransformationState
from dpps.workload.bundle import JobReport, JobStart
from dpps.workload.definition import ProductionDefinition
from dpps.workload.records import (
    AuditEntry,
    Counts,
    Job,
    LineageEntry,
    NewTask,
    OutboxEntry,
    Production,
    Task,
    TaskInputs,
    Transformation,
    UnfinishedWork,
)

__all__ = [
    "Engine",
    "JobEnd",
    "Parameter",
    "ProcessDescription",
    "ProcessOrder",
    "ProcessOutcome",
    "ProcessRunner",
    "Processes",
    "ReportChannel",
    "WorkStore",
]


class WorkStore(Protocol):
    """The truth about productions, transformations, tasks and jobs.

    Each method is one transaction. A method that changes a state checks the transition table and records
    the change, with its reason, in the same transaction.
    """

    def create(
        self,
        definition: ProductionDefinition,
        *,
        submitter: str,
        at: datetime,
        fixed_inputs: Mapping[str, TaskInputs],
        tasks: Mapping[str, Sequence[NewTask]],
    ) -> None:
        """Keep a new production with the tasks that are known now, whole or not at all.

        ``fixed_inputs`` and ``tasks`` are by name of the transformation.

        Raises
        ------
        Conflict
            When there is a production of this name; with the code ``product-promised`` when a task promises
            a product that a task of another production has promised and not failed to make.
        """
        ...

    def productions(self) -> list[Production]:
        """Return every production, the newest first."""
        ...

    def production(self, name: str) -> Production:
        """Return one production.

        Raises
        ------
        NotFound
            When there is none of this name.
        """
        ...

    def transformations(self, production: str) -> list[Transformation]:
        """Return the transformations of a production in the order of its file."""
        ...

    def transformation(self, transformation: str) -> Transformation:
        """Return one transformation, or raise `NotFound`."""
        ...

    def tasks(self, transformation: str, states: Sequence[TaskState] = ()) -> list[Task]:
        """Return the tasks of a transformation by number; only those in the states, when given."""
        ...

    def task(self, task: str) -> Task:
        """Return one task, or raise `NotFound`."""
        ...

    def jobs(self, task: str) -> list[Job]:
        """Return the jobs of a task by attempt."""
        ...

    def job(self, job: str) -> Job:
        """Return one job, or raise `NotFound`."""
        ...

    def unfinished(self, *, ready_limit: int) -> UnfinishedWork:
        """Return what is not finished; of the ready tasks the ``ready_limit`` most urgent."""
        ...

    def counts(self) -> Counts:
        """Return numbers for monitoring."""
        ...

    def audit(self, production: str) -> list[AuditEntry]:
        """Return every state change in a production, the oldest first."""
        ...

    def lineage(self, production: str) -> list[LineageEntry]:
        """Return the published products of a production, by name."""
        ...

    def add_tasks(self, transformation: str, tasks: Sequence[NewTask], at: datetime) -> list[str]:
        """Make tasks; one whose driving inputs were taken before is left out. Return the new ids.

        Raises
        ------
        InvalidTransition
            When the transformation is finished.
        """
        ...

    def set_transformation(
        self, transformation: str, state: TransformationState, *, reason: str, at: datetime
    ) -> None:
        """Change the state of a transformation."""
        ...

    def set_production(self, production: str, state: ProductionState, *, reason: str, at: datetime) -> None:
        """Change the state of a production; a final state notes the time."""
        ...

    def cancel(self, production: str, *, reason: str, at: datetime) -> bool:
        """End a production early; return False, and change nothing, when it was cancelled before.

        Transformations that are not finished and tasks that no job has won are cancelled, jobs of these
        tasks are over (`killed`). What a job has won is published as ever, and products stay.

        Raises
        ------
        NotFound
            When there is none of this name.
        InvalidTransition
            When it has ended otherwise.
        """
        ...

    def cancelled_jobs(self, among: Collection[str]) -> frozenset[str]:
        """Return those of some jobs whose tasks were cancelled: nobody wants their work any more."""
        ...

    def set_task(self, task: str, state: TaskState, *, reason: str, at: datetime) -> None:
        """Change the state of a task."""
        ...

    def start_attempt(self, task: str, at: datetime) -> Job:
        """Make the next job of a ready task, which is running from now on."""
        ...

    def set_job(
        self,
        job: str,
        state: JobState,
        *,
        at: datetime,
        exit_reason: ExitReason | None = None,
        detail: str = "",
        report: JobReport | None = None,
    ) -> None:
        """Change the state of a job (not to succeeded: see `succeed`)."""
        ...

    def succeed(self, job: str, report: JobReport, at: datetime) -> bool:
        """Record a job's success and elect it, unless another job of its task was elected.

        The elected job's task is publishing and in the outbox from now on. Returns whether this job is the
        winner; repeating the call changes nothing and answers the same.
        """
        ...

    def outbox(self, due: datetime, *, limit: int) -> list[OutboxEntry]:
        """Return winners to publish whose time has come, the oldest first."""
        ...

    def next_due(self) -> datetime | None:
        """Return when the next outbox entry is due, or None when the outbox is empty."""
        ...

    def postpone(self, task: str, *, error: str, next_try_at: datetime) -> None:
        """Note that publishing failed for now."""
        ...

    def published(self, task: str, products: Sequence[LineageEntry], at: datetime) -> None:
        """Record that a winner's products are in the archive: task done, lineage kept, outbox emptied."""
        ...

    def give_up_publishing(self, task: str, *, reason: str, at: datetime) -> None:
        """Record that a winner's products cannot enter the archive: task failed, outbox emptied."""
        ...

    def to_clean(self, *, limit: int) -> list[Job]:
        """Return ended jobs whose temporary files are to be deleted.

        A lost job is among them only when its task is finished: before, it may come back and win.
        """
        ...

    def cleaned(self, job: str) -> None:
        """Note that a job's temporary files are gone."""
        ...

    def listen(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Call ``wake`` soon after anyone changes the store; return the function that ends this."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEnd:
    """The engine's word that a job is over."""

    job: str
    exit_reason: ExitReason
    detail: str = ""


class Engine(Protocol):
    """Executes jobs somewhere. Holds no durable state: after a restart it knows no job."""

    def submit(self, job: str, bundle: str, *, priority: int) -> None:
        """Hand over a job; idempotent by job while it is known.

        Raises
        ------
        Unavailable
            When the engine does not accept jobs now.
        """
        ...

    def withdraw(self, job: str) -> None:
        """Ask that a job end soon, or not begin: nobody wants its work any more.

        Its end is collected like any other's. A job that is not known, and a second call, change nothing.
        """
        ...

    def known(self) -> frozenset[str]:
        """Return the jobs that were submitted and whose end was not collected."""
        ...

    def collect(self) -> list[JobEnd]:
        """Return jobs that ended; each is returned exactly once and is not known afterwards."""
        ...

    def capacity(self) -> int:
        """Return how many further jobs are useful now (workers free, plus a small queue)."""
        ...

    def on_end(self, wake: Callable[[], None]) -> None:
        """Call ``wake``, from any thread, whenever a job ends."""
        ...

    def release_idle(self) -> bool:
        """Give back workers that nothing has needed for a while; return whether any are kept."""
        ...

    def stop(self) -> None:
        """End everything that the engine started; idempotent."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One input or output of a process."""

    types: frozenset[str]
    """CWL type names; lists as ``File[]``; optional ones hold ``null``; records and enums by their kind."""
    has_default: bool = False
    formats: frozenset[str] = frozenset()
    """Formats of its files, as IRIs; empty where the document states none, or none that can be compared."""

    @property
    def is_required(self) -> bool:
        """Whether a process cannot run without a value."""
        return not self.has_default and "null" not in self.types


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessDescription:
    """What a process takes and gives."""

    label: str
    inputs: Mapping[str, Parameter]
    outputs: Mapping[str, Parameter]


class Processes(Protocol):
    """Reads CWL documents."""

    def pack(self, path: Path) -> dict[str, Any]:
        """Validate a document and return it with everything that it refers to.

        Raises
        ------
        InvalidInput
            When it cannot be read, is not valid, or needs what we do not have.
        """
        ...

    def describe(self, process: Mapping[str, Any]) -> ProcessDescription:
        """Return the inputs and outputs of a packed document, or raise `InvalidInput`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessOrder:
    """One execution of a process."""

    process: Mapping[str, Any]
    values: Mapping[str, Any]
    """CWL input object; files by absolute path."""
    outputs: Sequence[str]
    """CWL outputs that shall be given back (others may be absent)."""
    sandbox: Path
    """Empty folder for everything that the process writes."""
    program_folders: Sequence[Path]
    """Put before ``PATH`` for the process."""
    memory_bytes: int
    wall_seconds: float
    stop_file: Path | None = None
    """Its appearance ends the execution (`killed`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessOutcome:
    """How an execution ended."""

    exit_reason: ExitReason
    detail: str
    exit_code: int | None
    outputs: Mapping[str, Path]
    """Single files, by name of the CWL output."""
    log: Path
    wall_seconds: float
    cpu_seconds: float
    peak_memory_bytes: int
    software: Mapping[str, str] = field(default_factory=dict)
    file_lists: Mapping[str, Sequence[Path]] = field(default_factory=dict)
    """Lists of files, by name of the CWL output."""


class ProcessRunner(Protocol):
    """Executes processes on this machine."""

    def run(self, order: ProcessOrder) -> ProcessOutcome:
        """Run to the end; a failure of the payload is an outcome, not an error."""
        ...


class ReportChannel(Protocol):
    """A job's line to the workload system."""

    def start(self, host: str, at: datetime) -> JobStart:
        """Announce the start; return whether the job is still wanted, and what opens the storages to it.

        Raises
        ------
        Unavailable
            When nobody answered for as long as it was tried.
        """
        ...

    def finish(self, report: JobReport) -> bool:
        """Deliver the report, trying for a while; return whether the outputs are wanted.

        Raises
        ------
        Unavailable
            When nobody answered for as long as it was tried.
        """
        ...
