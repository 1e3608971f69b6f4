"""The one reading that decisions are made from, of records in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import islice

from dpps.domain.work import ProductionState, TaskState, TransformationState, is_final
from dpps.workload.records import (
    Job,
    LineageEntry,
    Production,
    Task,
    Transformation,
    UnfinishedTask,
    UnfinishedTransformation,
    UnfinishedWork,
)
from dpps.workload.summaries import summarize_attempts

__all__ = ["unfinished_work"]


def unfinished_work(
    *,
    productions: Mapping[str, Production],
    transformations: Mapping[str, Transformation],
    tasks: Mapping[str, Task],
    jobs: Mapping[str, Job],
    products: Mapping[str, LineageEntry],
    taken: Mapping[tuple[str, str], str],
    ready_limit: int,
) -> UnfinishedWork:
    """Return what is not finished in these records."""
    active = {name: known for name, known in productions.items() if known.state is ProductionState.ACTIVE}
    steps = [known for known in transformations.values() if known.production in active]
    by_production: dict[str, tuple[TransformationState, ...]] = {}
    for step in steps:
        by_production[step.production] = (*by_production.get(step.production, ()), step.state)

    def summary(task: Task) -> UnfinishedTask:
        own = sorted((job for job in jobs.values() if job.task == task.id), key=lambda job: job.attempt)
        return UnfinishedTask(
            id=task.id,
            transformation=task.transformation,
            priority=productions[task.id.split(".")[0]].priority,
            state=task.state,
            attempts=summarize_attempts(
                (job.id, job.state, job.exit_reason, job.detail, job.finished_at) for job in own
            ),
        )

    def unfinished(step: Transformation) -> UnfinishedTransformation:
        return UnfinishedTransformation(
            id=step.id,
            production=step.production,
            state=step.state,
            definition=step.definition,
            fixed_inputs=step.fixed_inputs,
            sources={
                name: transformations[f"{step.production}.{name}"].state for name in step.definition.sources
            },
            available=_available(step, products, taken),
            tasks=Counter(task.state for task in tasks.values() if task.transformation == step.id),
        )

    by_number = sorted(tasks.values(), key=lambda task: (task.transformation, task.number))
    running = [summary(task) for task in by_number if task.state is TaskState.RUNNING]
    ready = [summary(task) for task in by_number if task.state is TaskState.READY]
    ready.sort(key=lambda task: -task.priority)
    return UnfinishedWork(
        productions=by_production,
        transformations=tuple(unfinished(step) for step in steps if not is_final(step.state)),
        tasks=(*running, *islice(ready, ready_limit)),
    )


def _available(
    step: Transformation, products: Mapping[str, LineageEntry], taken: Mapping[tuple[str, str], str]
) -> dict[str, tuple[str, ...]]:
    available: dict[str, tuple[str, ...]] = {}
    if step.state is not TransformationState.OPEN:
        return available
    for name, given in step.definition.inputs.items():
        if not given.source:
            continue
        source, output = given.source.split(".")
        found = sorted(
            entry.lfn
            for entry in products.values()
            if entry.output == output and entry.task.rsplit(".", 1)[0] == f"{step.production}.{source}"
        )
        if name == step.definition.driver:
            found = [lfn for lfn in found if (step.id, lfn) not in taken]
        available[name] = tuple(found)
    return available
