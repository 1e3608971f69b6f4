"""What a production would do: checked, inputs found, tasks and product names known, nothing changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from dpps.data.named_datasets import NamedDatasets
from dpps.data.ports import Catalogue
from dpps.domain.errors import Conflict, InvalidInput
from dpps.domain.files import ArchivedFile
from dpps.domain.names import Lfn
from dpps.domain.principals import Action, Principal, authorize
from dpps.workload.checking import check_graph, check_links, check_process, streams_input
from dpps.workload.definition import ProductionDefinition, TransformationDefinition
from dpps.workload.grouping import divide
from dpps.workload.inputs import archived_inputs
from dpps.workload.outputs import describe_outputs, planned_activity
from dpps.workload.ports import Parameter, Processes
from dpps.workload.records import NewTask, TaskInputs

__all__ = [
    "InputPlan",
    "Plan",
    "PlanningParts",
    "TransformationPlan",
    "check_group_size",
    "new_task",
    "plan_production",
    "summarize_plan",
]

_PASS_MAX = 999

type _Names = tuple[tuple[Lfn, ...], ...]
"""Names of the products of each task."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanningParts:
    """What planning looks into; it changes none of them."""

    catalogue: Catalogue
    datasets: NamedDatasets
    processes: Processes


@dataclass(frozen=True, slots=True, kw_only=True)
class InputPlan:
    """What feeds one CWL input."""

    name: str
    origin: str
    """The query, ``dataset <name>``, or ``from <transformation>.<output>``."""
    group_by: str
    files: int | None
    """Number of files found; None when they do not exist yet."""
    size_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformationPlan:
    """What one transformation would do."""

    name: str
    inputs: tuple[InputPlan, ...]
    tasks: tuple[NewTask, ...]
    """Tasks that can be made now; the others follow from the products of earlier transformations."""
    fixed_inputs: TaskInputs
    output_names: tuple[str, ...]
    """LFNs that the tasks made now will give."""
    product_types: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a production would do."""

    definition: ProductionDefinition
    transformations: tuple[TransformationPlan, ...]


def plan_production(
    principal: Principal,
    parts: PlanningParts,
    definition: ProductionDefinition,
    *,
    pass_is_given: bool,
    vo: str,
    now: datetime,
    first_pass: int = 1,
) -> Plan:
    """Check a production and find its inputs.

    Parameters
    ----------
    principal : Principal
        Who asks.
    parts : PlanningParts
        The archive, and what knows the CWL documents.
    definition : ProductionDefinition
        The production.
    pass_is_given : bool
        Whether the pass of the products is prescribed; else the first whose names are free is taken.
    vo : str
        Virtual organisation, first component of the products' names.
    now : datetime
        The time.
    first_pass : int
        Least pass to consider where none is prescribed.

    Raises
    ------
    NotAuthorized
        When the principal may not submit productions.
    InvalidInput
        When something does not fit, or a query or dataset gives nothing.
    Conflict
        When products of the prescribed pass exist already.
    """
    authorize(principal, Action.SUBMIT, f"production {definition.production}")
    check_graph(definition)
    described = {step.name: parts.processes.describe(step.process) for step in definition.transformations}
    for step in definition.transformations:
        check_process(definition, step, described[step.name])
    check_links(definition, described)
    grouped = [
        _group(principal, parts, step, described[step.name].inputs) for step in definition.transformations
    ]
    prescribed = definition.transformations[0].pass_number
    passes = range(prescribed, prescribed + 1) if pass_is_given else range(first_pass, _PASS_MAX + 1)
    for number in passes:
        steps = [step.model_copy(update={"pass_number": number}) for step in definition.transformations]
        names = [_output_names(step, group, vo, now) for step, group in zip(steps, grouped, strict=True)]
        _check_distinct(definition, names)
        taken = _taken(parts.catalogue, [name for own in names for task in own for name in task])
        if not taken:
            return Plan(
                definition=definition.model_copy(update={"transformations": tuple(steps)}),
                transformations=tuple(
                    _transformation_plan(step, group, own)
                    for step, group, own in zip(steps, grouped, names, strict=True)
                ),
            )
    raise Conflict(
        f"products of pass {passes[-1]} exist already, e.g. {taken[0]}",
        code="pass-taken",
        next_step="leave out 'pass' in the production file: the next free one is taken",
        production=definition.production,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Grouped:
    found: Mapping[str, tuple[ArchivedFile, ...]]
    """Files by input, for inputs that the archive has already."""
    tasks: tuple[Mapping[str, tuple[ArchivedFile, ...]], ...]
    """Files of each task by input, when all inputs of the step are there."""


def _group(
    principal: Principal,
    parts: PlanningParts,
    step: TransformationDefinition,
    parameters: Mapping[str, Parameter],
) -> _Grouped:
    found = {}
    for name, given in step.inputs.items():
        files = archived_inputs(
            principal, parts.catalogue, parts.datasets, given, transformation=step.name, name=name
        )
        if files is not None:
            found[name] = files
    if len(found) < len(step.inputs):
        return _Grouped(found=found, tasks=())
    tasks = (found,) * len(step.task_table) if step.task_table else tuple(divide(step, found))
    for inputs in tasks:
        for name, files in inputs.items():
            check_group_size(step, name, len(files), parameters)
    return _Grouped(found=found, tasks=tasks)


def check_group_size(
    step: TransformationDefinition, name: str, number: int, parameters: Mapping[str, Parameter]
) -> None:
    """Check that a CWL input can take so many files.

    Raises
    ------
    InvalidInput
        When it takes one file and its document has no ``<input>_streams`` for the others.
    """
    if number == 1 or "File[]" in parameters[name].types:
        return
    streams = parameters.get(streams_input(name))
    if streams is None or "File[]" not in streams.types:
        raise InvalidInput(
            f"transformation {step.name!r}: input {name!r} takes one file, and a group has {number}",
            code="group-too-large",
            next_step="group by 'each', or use a document whose input takes File[]",
            transformation=step.name,
        )


def _output_names(step: TransformationDefinition, grouped: _Grouped, vo: str, now: datetime) -> _Names:
    activity = planned_activity(step, now)
    return tuple(
        tuple(
            product.lfn for product in describe_outputs(step, inputs, activity, vo=vo, task=number).values()
        )
        for number, inputs in enumerate(grouped.tasks, start=1)
    )


def _check_distinct(definition: ProductionDefinition, names: Sequence[_Names]) -> None:
    seen: set[Lfn] = set()
    for step, own in zip(definition.transformations, names, strict=True):
        for name in (name for task in own for name in task):
            if name in seen:
                raise InvalidInput(
                    f"transformation {step.name!r}: two tasks would give the same product {name}",
                    code="product-twice",
                    next_step="group their inputs together (group: {by: observation}), or narrow the query",
                    lfn=name,
                )
            seen.add(name)


def _taken(catalogue: Catalogue, names: Sequence[Lfn]) -> list[Lfn]:
    known = catalogue.files(names) if names else []
    return [name for name, file in zip(names, known, strict=True) if file is not None]


def new_task(
    step: TransformationDefinition,
    inputs: Mapping[str, Sequence[ArchivedFile]],
    outputs: Sequence[Lfn] = (),
) -> NewTask:
    """Return a group of input files as a task to be made."""
    names = {name: tuple(file.lfn.name for file in files) for name, files in inputs.items()}
    return NewTask(inputs=names, driver=step.driver, outputs=tuple(lfn.name for lfn in outputs))


def _transformation_plan(
    step: TransformationDefinition, grouped: _Grouped, names: _Names
) -> TransformationPlan:
    return TransformationPlan(
        name=step.name,
        inputs=tuple(
            InputPlan(
                name=name,
                origin=given.origin,
                group_by=given.group.by,
                files=len(grouped.found[name]) if name in grouped.found else None,
                size_bytes=sum(file.content.size_bytes for file in grouped.found[name])
                if name in grouped.found
                else None,
            )
            for name, given in step.inputs.items()
        ),
        tasks=tuple(
            new_task(step, inputs, outputs) for inputs, outputs in zip(grouped.tasks, names, strict=True)
        ),
        fixed_inputs={
            name: tuple(file.lfn.name for file in files)
            for name, files in grouped.found.items()
            if name != step.driver
        },
        output_names=tuple(name.name for task in names for name in task),
        product_types=tuple(output.product for output in step.outputs.values()),
    )


def summarize_plan(plan: Plan) -> dict[str, object]:
    """Return a plan as plain data, for ``--dry-run``, ``--json`` and the API."""
    return {
        "production": plan.definition.production,
        "priority": plan.definition.priority,
        "pass": plan.definition.transformations[0].pass_number,
        "transformations": [
            {
                "name": step.name,
                "inputs": [
                    {
                        "name": given.name,
                        "origin": given.origin,
                        "group_by": given.group_by,
                        "files": given.files,
                        "size_bytes": given.size_bytes,
                    }
                    for given in step.inputs
                ],
                "tasks": len(step.tasks),
                "outputs": list(step.output_names),
                "product_types": list(step.product_types),
            }
            for step in plan.transformations
        ],
    }
