"""What the system keeps of productions, transformations, tasks and jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from dpps.domain.errors import Conflict, InvalidTransition
from dpps.domain.work import ExitReason, JobState, ProductionState, TaskState, TransformationState
from dpps.workload.bundle import JobReport
from dpps.workload.definition import TransformationDefinition

__all__ = [
    "LIVE_JOBS",
    "PRODUCT_PROMISED",
    "UNDECIDED_TASKS",
    "UNFINISHED_TRANSFORMATIONS",
    "Attempts",
    "AuditEntry",
    "Counts",
    "Job",
    "LineageEntry",
    "NewTask",
    "OutboxEntry",
    "Production",
    "Task",
    "TaskInputs",
    "Transformation",
    "UnfinishedTask",
    "UnfinishedTransformation",
    "UnfinishedWork",
    "check_open",
    "product_taken",
]

TaskInputs = Mapping[str, tuple[str, ...]]
"""LFNs by name of the CWL input."""

UNFINISHED_TRANSFORMATIONS = (TransformationState.OPEN, TransformationState.CLOSED)
UNDECIDED_TASKS = (TaskState.READY, TaskState.RUNNING)
"""No job of theirs has won."""
LIVE_JOBS = (JobState.CREATED, JobState.SUBMITTED, JobState.RUNNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Production:
    """A campaign."""

    name: str
    state: ProductionState
    reason: str
    priority: int
    submitter: str
    created_at: datetime
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transformation:
    """One step of a production; ``id`` is ``<production>.<name>``."""

    id: str
    production: str
    name: str
    position: int
    state: TransformationState
    reason: str
    definition: TransformationDefinition
    fixed_inputs: TaskInputs
    """LFNs of inputs that every task takes whole and that were found by a query at submission."""


PRODUCT_PROMISED = "product-promised"
"""Code of the `Conflict` of a product that another task has promised."""


def product_taken(lfn: str, task: str, *, code: str) -> Conflict:
    """Return the error of a product that another task makes or has made."""
    return Conflict(
        f"{lfn} is a product of task {task}",
        code=code,
        next_step="leave out 'pass' in the production file: the next free one is taken",
        lfn=lfn,
        task=task,
    )


def check_open(transformation: str, state: TransformationState) -> None:
    """Refuse further tasks of a transformation that is finished.

    Raises
    ------
    InvalidTransition
        When it is.
    """
    if state not in UNFINISHED_TRANSFORMATIONS:
        raise InvalidTransition(
            f"transformation {transformation} is {state.value} and takes no further tasks",
            next_step="look at its history: dpps production explain NAME",
            subject=transformation,
            state=state.value,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTask:
    """A group of inputs that shall become a task."""

    inputs: TaskInputs
    driver: str | None
    """Input whose files no other task of the transformation may have; None for a task of a table."""
    outputs: tuple[str, ...] = ()
    """LFNs of its products, where they are known: no other task of any production may have them."""

    @property
    def driving(self) -> tuple[str, ...]:
        """LFNs that no other task of the transformation may have."""
        return () if self.driver is None else self.inputs[self.driver]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One group of inputs; ``id`` is ``<production>.<transformation>.<number>``."""

    id: str
    transformation: str
    number: int
    state: TaskState
    reason: str
    inputs: TaskInputs


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One attempt; ``id`` is ``<task>.<attempt>``, the first attempt being 1."""

    id: str
    task: str
    attempt: int
    state: JobState
    exit_reason: ExitReason | None
    detail: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    report: JobReport | None
    won: bool = False
    cleaned: bool = False
    """Its temporary files are gone, or are the products."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """How often a task was attempted, and whose failures those were."""

    live_jobs: tuple[str, ...] = ()
    payload_failures: int = 0
    infrastructure_failures: int = 0
    last_reason: ExitReason | None = None
    last_detail: str = ""
    last_failure_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnfinishedTask:
    """A task that needs a decision, now or later."""

    id: str
    transformation: str
    priority: int
    state: TaskState
    attempts: Attempts


@dataclass(frozen=True, slots=True, kw_only=True)
class UnfinishedTransformation:
    """A transformation that is not finished, with what a decision about it needs."""

    id: str
    production: str
    state: TransformationState
    definition: TransformationDefinition
    fixed_inputs: TaskInputs
    sources: Mapping[str, TransformationState]
    """States of the transformations that it reads from, by name."""
    available: Mapping[str, tuple[str, ...]]
    """Published LFNs by input name that no task of this transformation has taken."""
    tasks: Mapping[TaskState, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnfinishedWork:
    """Everything that is not finished, as one consistent reading of the store."""

    productions: Mapping[str, tuple[TransformationState, ...]] = field(default_factory=dict)
    """States of all transformations of each active production."""
    transformations: tuple[UnfinishedTransformation, ...] = ()
    tasks: tuple[UnfinishedTask, ...] = ()
    """Ready and running tasks, the most urgent first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxEntry:
    """A winner whose products are not in the archive yet."""

    task: str
    job: str
    attempts: int
    last_error: str
    next_try_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageEntry:
    """A product of a task, and what it was made of."""

    lfn: str
    output: str
    inputs: tuple[str, ...]
    task: str
    job: str
    activity: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One state change."""

    subject: str
    kind: str
    before: str
    after: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Numbers for monitoring."""

    productions: Mapping[str, int]
    tasks: Mapping[str, int]
    jobs: Mapping[str, int]
    exit_reasons: Mapping[str, int]
    outbox: int
    outbox_oldest_at: datetime | None
