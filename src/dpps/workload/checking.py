"""Whether the steps of a production fit together and fit their CWL documents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

from dpps.domain.errors import InvalidInput
from dpps.workload.definition import ProductionDefinition, TransformationDefinition
from dpps.workload.grouping import GROUPINGS
from dpps.workload.ports import Parameter, ProcessDescription
from dpps.workload.provenance import PROVENANCE_OUTPUT
from dpps.workload.task_tables import parameters_of

__all__ = ["check_graph", "check_links", "check_process", "filename_input", "streams_input"]


def filename_input(output: str) -> str:
    """Return the CWL input that, where a document has it, takes the file name of an output."""
    return f"{output}_filename"


def streams_input(name: str) -> str:
    """Return the CWL input that, where a document has it, takes the further files of a group."""
    return f"{name}_streams"


def check_graph(production: ProductionDefinition) -> None:
    """Check names, references and the absence of cycles.

    Raises
    ------
    InvalidInput
        Naming the transformation and the key.
    """
    steps = {step.name: step for step in production.transformations}
    if len(steps) < len(production.transformations):
        names = [step.name for step in production.transformations]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise _invalid(production, "transformations", f"two transformations are named {', '.join(twice)}")
    for step in production.transformations:
        for name, given in step.inputs.items():
            key = f"{step.name}.inputs.{name}"
            if given.group.by not in GROUPINGS:
                known = ", ".join(sorted(GROUPINGS))
                raise _invalid(
                    production,
                    f"{key}.group.by",
                    f"there is no grouping {given.group.by!r}; known are {known}",
                )
            if given.source:
                _check_source(production, key, given.source, steps)
        _check_groups(production, step)
    try:
        TopologicalSorter({name: step.sources for name, step in steps.items()}).prepare()
    except CycleError as wrong:
        raise _invalid(
            production, "transformations", f"they wait for one another: {' <- '.join(wrong.args[1])}"
        ) from wrong


def _check_groups(production: ProductionDefinition, step: TransformationDefinition) -> None:
    """Let several inputs be grouped only where their groups can be matched: by one metadata key."""
    if step.task_table:
        _check_inputs_beside_table(production, step)
    grouped = {name: given.group.by for name, given in step.inputs.items() if given.group.by != "all"}
    if len(grouped) > 1 and (len(set(grouped.values())) > 1 or "each" in grouped.values()):
        listed = ", ".join(f"{name} by {by}" for name, by in grouped.items())
        raise _invalid(
            production,
            f"{step.name}.inputs",
            f"these inputs cannot be matched to one another: {listed}; give all but one "
            "'group: {by: all}', or all the same grouping by metadata",
        )


def _check_inputs_beside_table(production: ProductionDefinition, step: TransformationDefinition) -> None:
    for name, given in step.inputs.items():
        if given.group.by != "all" or given.source is not None:
            raise _invalid(
                production,
                f"{step.name}.inputs.{name}",
                "beside a table of tasks, an input is a query or a dataset with 'group: {by: all}': every "
                "task has the same files",
            )


def _check_source(
    production: ProductionDefinition, key: str, source: str, steps: Mapping[str, TransformationDefinition]
) -> None:
    name, output = source.split(".")
    if name not in steps:
        raise _invalid(production, f"{key}.from", f"there is no transformation {name!r}")
    if output not in steps[name].outputs:
        known = ", ".join(steps[name].outputs)
        raise _invalid(
            production, f"{key}.from", f"transformation {name!r} has no output {output!r}; it has {known}"
        )


def check_process(
    production: ProductionDefinition, step: TransformationDefinition, process: ProcessDescription
) -> None:
    """Check a step against its CWL document: names, kinds, and that nothing is missing.

    Raises
    ------
    InvalidInput
        Naming the transformation, the key and what the document offers.
    """
    for name in step.inputs:
        known = _known(production, f"{step.name}.inputs", name, process.inputs)
        if not known.types & {"File", "File[]"}:
            raise _invalid(
                production,
                f"{step.name}.inputs.{name}",
                f"the CWL input takes {_types(known)}, not files; give its value under 'parameters'",
            )
    for name, value in step.parameters.items():
        known = _known(production, f"{step.name}.parameters", name, process.inputs)
        if name in step.inputs:
            raise _invalid(production, f"{step.name}.parameters.{name}", "it is given under 'inputs' too")
        _check_files(production, step, f"{step.name}.parameters.{name}", value)
        if not _fits(value, known):
            raise _invalid(
                production,
                f"{step.name}.parameters.{name}",
                f"the CWL input takes {_types(known)}, and {value!r} is not that",
            )
    for name in step.outputs:
        known = _known(production, f"{step.name}.outputs", name, process.outputs)
        # Records of provenance come one for each step; the job makes one file of them.
        if "File" not in known.types and not (PROVENANCE_OUTPUT in name and "File[]" in known.types):
            raise _invalid(
                production, f"{step.name}.outputs.{name}", f"the CWL output is {_types(known)}, not one File"
            )
    _check_table(production, step, process)
    filled = {filename_input(name) for name in step.outputs} | set(step.inputs) | set(step.parameters)
    filled |= set(step.task_row(1))
    missing = [name for name, known in process.inputs.items() if known.is_required and name not in filled]
    if missing:
        raise _invalid(
            production,
            f"{step.name}.parameters",
            f"the CWL document needs values for {', '.join(sorted(missing))}",
        )


def check_links(production: ProductionDefinition, processes: Mapping[str, ProcessDescription]) -> None:
    """Check that what one step makes is what the next one expects: product types, and formats of files.

    Parameters
    ----------
    production : ProductionDefinition
        Checked by `check_graph` and `check_process`.
    processes : mapping
        What the steps' documents take and give, by name of the step.

    Raises
    ------
    InvalidInput
        Naming both steps.
    """
    steps = {step.name: step for step in production.transformations}
    for step in production.transformations:
        for name, given in step.inputs.items():
            if given.source is None:
                continue
            source, output = given.source.split(".")
            made = steps[source].outputs[output].product
            key = f"{step.name}.inputs.{name}"
            if given.product not in (None, made):
                raise _invalid(
                    production,
                    key,
                    f"transformation {step.name!r} expects {given.product}, and the output {output!r} of "
                    f"transformation {source!r} is {made}",
                )
            wanted = processes[step.name].inputs[name].formats
            offered = processes[source].outputs[output].formats
            if wanted and offered and not wanted & offered:
                raise _invalid(
                    production,
                    key,
                    f"the document of transformation {step.name!r} takes files of the format "
                    f"{' or '.join(sorted(wanted))}, and the output {output!r} of transformation "
                    f"{source!r} is {' or '.join(sorted(offered))}",
                )


def _check_table(
    production: ProductionDefinition, step: TransformationDefinition, process: ProcessDescription
) -> None:
    """Check the columns of a table of tasks and every value."""
    key = f"{step.name}.tasks"
    for name in parameters_of(step.task_row(1)):
        known = _known(production, key, name, process.inputs)
        if name in step.inputs or name in step.parameters:
            raise _invalid(production, f"{key}.{name}", "it is given under 'inputs' or 'parameters' too")
        for number, row in enumerate(step.task_table, start=1):
            if not _fits(row[name], known):
                raise _invalid(
                    production,
                    f"{key}.{name}",
                    f"row {number}: the CWL input takes {_types(known)}, and {row[name]!r} is not that",
                )


def _check_files(
    production: ProductionDefinition, step: TransformationDefinition, key: str, value: object
) -> None:
    """Let a parameter name no files but those that travel with the production."""
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, Mapping) and item.get("class") in ("File", "Directory"):
            inside = item.get("class") == "File" and item.get("location") in step.configuration_files
            if not inside or set(item) != {"class", "location"}:
                raise _invalid(
                    production, key, "write {class: File, location: <name>}, a name of configuration_files"
                )


def _known(
    production: ProductionDefinition, key: str, name: str, offered: Mapping[str, Parameter]
) -> Parameter:
    if name not in offered:
        raise _invalid(
            production,
            f"{key}.{name}",
            f"the CWL document has no such name; it has {', '.join(sorted(offered)) or 'none'}",
        )
    return offered[name]


def _types(parameter: Parameter) -> str:
    return " or ".join(sorted(parameter.types - {"null"}))


def _fits(value: object, parameter: Parameter) -> bool:
    if "Any" in parameter.types:
        return True
    return bool(parameter.types & set(_kinds(value)))


def _kinds(value: object) -> Iterable[str]:
    """Return the CWL types that a YAML value may stand for."""
    if value is None:
        return ("null",)
    if isinstance(value, bool):
        return ("boolean",)
    if isinstance(value, int):
        return ("int", "long", "float", "double")
    if isinstance(value, float):
        return ("float", "double")
    if isinstance(value, str):
        return ("string", "enum")
    if isinstance(value, list):
        kinds = [set(_kinds(item)) for item in value]
        return [f"{kind}[]" for kind in set.intersection(*kinds)] if kinds else _EMPTY_LISTS
    if isinstance(value, Mapping) and value.get("class") == "File":
        return ("File",)
    return ("record",)


_EMPTY_LISTS = [
    f"{kind}[]" for kind in ("boolean", "int", "long", "float", "double", "string", "enum", "File", "record")
]


def _invalid(production: ProductionDefinition, key: str, why: str) -> InvalidInput:
    return InvalidInput(
        f"production {production.production!r}: {key}: {why}",
        code="production-invalid",
        next_step="correct the production file and submit again; nothing was submitted",
        production=production.production,
        key=key,
    )
