"""Plans and states of productions as lines of text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dpps.workload.planning import InputPlan, Plan
    from dpps.workload.progress import FailedTask, ProductionStatus, TransformationStatus
    from dpps.workload.steering import Cancellation

__all__ = ["cancellation_lines", "plan_lines", "status_lines"]

_NAMES_SHOWN = 5
_STATES = ("ready", "running", "publishing", "done", "failed", "cancelled")


def plan_lines(plan: Plan) -> Iterator[str]:
    """Return what a production would do."""
    first = plan.definition.transformations[0]
    name, priority = plan.definition.production, plan.definition.priority
    yield f"production {name}: priority {priority}, pass {first.pass_number}"
    for step in plan.transformations:
        yield f"  {step.name} → {', '.join(step.product_types)}"
        for given in step.inputs:
            yield f"    input {given.name}: {_input_text(given)}"
        if step.tasks:
            yield f"    tasks: {len(step.tasks)}"
        else:
            yield "    tasks: made as its inputs are published"
        yield from _named(step.output_names)


def _named(names: tuple[str, ...]) -> Iterator[str]:
    for name in names[:_NAMES_SHOWN]:
        yield f"    output: {name}"
    if len(names) > _NAMES_SHOWN:
        yield f"    … and {len(names) - _NAMES_SHOWN} more outputs (all with --json)"


def _input_text(given: InputPlan) -> str:
    if given.files is None:
        return f"{given.origin}, grouped by {given.group_by}"
    megabytes = (given.size_bytes or 0) / 1e6
    return f"{given.files} files, {megabytes:.1f} MB, grouped by {given.group_by}: {given.origin}"


def status_lines(answer: ProductionStatus) -> Iterator[str]:
    """Return how far a production is."""
    known = answer.production
    reason = f": {known.reason}" if known.reason else ""
    yield f"production {known.name} is {known.state.value}{reason}"
    for step in answer.transformations:
        yield from _step_lines(step)
    yield f"products in the archive: {len(answer.products)}"


def cancellation_lines(answer: Cancellation) -> Iterator[str]:
    """Return what is left of a cancelled production."""
    yield f"production {answer.production} {'is' if answer.changed else 'was'} cancelled"
    counts = {state.value: number for state, number in answer.tasks.items()}
    yield f"  tasks: {_counts(counts) or 'none'}"
    yield f"products in the archive, which stay: {answer.products}"


def _counts(tasks: Mapping[str, int]) -> str:
    return ", ".join(f"{tasks[state]} {state}" for state in _STATES if tasks.get(state))


def _step_lines(step: TransformationStatus) -> Iterator[str]:
    reason = f" ({step.reason})" if step.reason and step.state.value in ("partial", "failed") else ""
    yield f"  {step.name} is {step.state.value}{reason}; tasks: {_counts(step.tasks) or 'none yet'}"
    if step.waits_for:
        yield f"    waits for: {step.waits_for}"
    for job in step.running:
        yield f"    job {job.job} is {job.state.value} since {job.since:%H:%M:%S} UTC"
    for failure in step.failed:
        yield from _failure_lines(failure)


def _failure_lines(failure: FailedTask) -> Iterator[str]:
    code = f", exit code {failure.exit_code}" if failure.exit_code is not None else ""
    yield (
        f"    task {failure.task} is {failure.state.value} after {failure.attempts} attempts; "
        f"the last: {failure.exit_reason}{code}: {failure.detail or failure.reason}"
    )
    for line in failure.log_tail:
        yield f"      | {line}"
    yield f"      next step: {failure.next_step}"
