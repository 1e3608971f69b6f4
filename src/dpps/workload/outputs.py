"""What a task's outputs are called and described as."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime

from dpps.domain.files import ArchivedFile
from dpps.products.derivation import DerivedProduct, derive_product
from dpps.products.provenance import ActivityRecord
from dpps.workload.bundle import JobReport
from dpps.workload.definition import TransformationDefinition
from dpps.workload.task_tables import metadata_of, parameters_of

__all__ = ["activity_of", "configuration_id", "describe_outputs", "planned_activity"]

_JOB_NAMESPACE = uuid.UUID("6f0c2f5e-8f0b-5d6e-9d34-3d1c4f4e2a10")


def configuration_id(step: TransformationDefinition, number: int | None = None) -> str:
    """Return ``sha256:…`` of everything that determines what a step does: document, parameters, files.

    With the number of a task, the values that a table of tasks gives it count too.
    """
    row = parameters_of(step.task_row(number)) if number is not None else {}
    text = json.dumps(
        {
            "process": step.process,
            "parameters": {**step.parameters, **row},
            "configuration_files": step.configuration_files,
            "environment": step.environment,
        },
        sort_keys=True,
        separators=(",", ":"),
    )
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def planned_activity(step: TransformationDefinition, at: datetime) -> ActivityRecord:
    """Return an activity that has not happened: good for naming, as names do not depend on it."""
    return ActivityRecord(
        activity_id=str(uuid.uuid5(_JOB_NAMESPACE, step.name)),
        name=step.name,
        software="dpps",
        software_version="0",
        configuration_id=configuration_id(step),
        start=at,
        end=at,
    )


def activity_of(step: TransformationDefinition, *, job: str, report: JobReport, agent: str) -> ActivityRecord:
    """Return what a job did.

    Parameters
    ----------
    step : TransformationDefinition
        The transformation.
    job : str
        Id of the job, ``<production>.<transformation>.<number>.<attempt>``.
    report : JobReport
        What the job reported; the first software that it names is the one that made the outputs.
    agent : str
        Who submitted the production.
    """
    production, transformation, number, _ = job.split(".")
    name, version = next(iter(report.software.items()))
    return ActivityRecord(
        activity_id=str(uuid.uuid5(_JOB_NAMESPACE, job)),
        name=step.name,
        software=name,
        software_version=version,
        configuration_id=configuration_id(step, int(number)),
        start=report.started_at,
        end=report.finished_at,
        agent=agent,
        production=production,
        transformation=transformation,
        task=f"{production}.{transformation}.{number}",
        software_versions=report.software,
    )


def describe_outputs(
    step: TransformationDefinition,
    inputs: Mapping[str, Sequence[ArchivedFile]],
    activity: ActivityRecord,
    *,
    vo: str,
    task: int,
) -> Mapping[str, DerivedProduct]:
    """Name and describe the products of one task, by CWL output.

    Parameters
    ----------
    step : TransformationDefinition
        The transformation.
    inputs : mapping of str to sequence of ArchivedFile
        All input files of the task, by CWL input.
    activity : ActivityRecord
        What was done, or will be.
    vo : str
        Virtual organisation.
    task : int
        Number of the task, from 1: its row where a table lists the tasks.

    Raises
    ------
    InvalidInput
        When a product cannot be derived from these inputs.
    """
    every = list({file.lfn.name: file for files in inputs.values() for file in files}.values())
    # What goes whole to every task (models, responses) does not say which data a task's products are about.
    own = [file for name, files in inputs.items() if _is_own(step, name) for file in files]
    return {
        name: derive_product(
            product_type=output.product,
            inputs=every,
            subjects=own or every,
            activity=activity,
            pass_number=step.pass_number,
            suffix=output.suffix,
            vo=vo,
            instance=metadata_of(step.task_row(task)),
        )
        for name, output in step.outputs.items()
    }


def _is_own(step: TransformationDefinition, name: str) -> bool:
    given = step.inputs.get(name)
    return given is None or given.group.by != "all"
