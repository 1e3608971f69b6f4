"""Making the bundle of a job: everything that a worker needs to know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dpps.domain.errors import Unavailable
from dpps.domain.files import ArchivedFile, ReplicaState
from dpps.products.derivation import DerivedProduct
from dpps.workload.bundle import BundledFile, BundledInput, BundledOutput, JobBundle
from dpps.workload.checking import filename_input, streams_input
from dpps.workload.ports import ProcessDescription
from dpps.workload.records import Task, Transformation
from dpps.workload.task_tables import parameters_of

__all__ = ["make_bundle", "nearest_urls", "temporary_folder"]


def temporary_folder(job: str, *, vo: str, url_prefix: str) -> str:
    """Return the URL below which a job writes: ``…/<vo>/tmp/<production>/<task>/<attempt>``."""
    production, transformation, number, attempt = job.split(".")
    parts = [vo, "tmp", production, f"{transformation}.{number}", attempt]
    return f"{url_prefix}/{'/'.join(parts)}"


def nearest_urls(file: ArchivedFile, *, computing_storage: str) -> tuple[str, ...]:
    """Return the good copies of a file: that of the computing storage, then off site, then on site.

    Raises
    ------
    Unavailable
        When no copy is good now.
    """
    good = [replica for replica in file.replicas if replica.state is ReplicaState.AVAILABLE]
    if not good:
        raise Unavailable(
            f"{file.lfn} has no copy that can be read now",
            code="input-unavailable",
            next_step=f"see its copies: dpps data info {file.lfn}",
            lfn=file.lfn,
        )
    good.sort(key=lambda replica: (replica.rse != computing_storage, replica.onsite, replica.rse))
    return tuple(replica.pfn for replica in good)


def make_bundle(
    task: Task,
    transformation: Transformation,
    process: ProcessDescription,
    files: Mapping[str, ArchivedFile],
    outputs: Mapping[str, DerivedProduct],
    *,
    job: str,
    attempt: int,
    computing_storage: str,
    output_folder: str,
    report_url: str,
    token: str,
) -> JobBundle:
    """Put a job's bundle together.

    Parameters
    ----------
    task, transformation
        What is to be done.
    process : ProcessDescription
        Inputs and outputs of the CWL document.
    files : mapping
        Input files by LFN.
    outputs : mapping
        Product of each CWL output.
    job, attempt
        Which attempt it is.
    computing_storage : str
        RSE that is near to where jobs run.
    output_folder : str
        URL below which this attempt writes.
    report_url, token : str
        Where to report, and what opens that door.

    Raises
    ------
    Unavailable
        When an input has no good copy now.
    """
    step = transformation.definition
    inputs: dict[str, BundledInput] = {}
    for name, lfns in task.inputs.items():
        bundled = [_bundled(files[lfn], computing_storage) for lfn in lfns]
        inputs.update(_bound(name, bundled, process))
    names = {
        filename_input(output): product.lfn.basename
        for output, product in outputs.items()
        if filename_input(output) in process.inputs and filename_input(output) not in step.parameters
    }
    return JobBundle(
        job=job,
        task=task.id,
        production=transformation.production,
        attempt=attempt,
        process=step.process,
        inputs=inputs,
        parameters={**step.parameters, **parameters_of(step.task_row(task.number)), **names},
        configuration_files=step.configuration_files,
        outputs={
            output: BundledOutput(
                name=product.lfn.basename, upload_url=f"{output_folder}/{product.lfn.basename}"
            )
            for output, product in outputs.items()
        },
        resources=step.resources,
        environment=step.environment,
        report_url=report_url,
        token=token,
    )


def _bundled(file: ArchivedFile, computing_storage: str) -> BundledFile:
    return BundledFile(
        lfn=file.lfn.name,
        name=file.lfn.basename,
        size_bytes=file.content.size_bytes,
        adler32=file.content.adler32,
        urls=nearest_urls(file, computing_storage=computing_storage),
    )


def _bound(name: str, files: Sequence[BundledFile], process: ProcessDescription) -> dict[str, BundledInput]:
    """Give files to an input; where it takes one, the others go to its streams."""
    if "File" not in process.inputs[name].types:
        return {name: BundledInput(files=tuple(files), is_list=True)}
    if len(files) > 1 and "File[]" in process.inputs[name].types:
        return {name: BundledInput(files=tuple(files), is_list=True)}
    bound = {name: BundledInput(files=tuple(files[:1]), is_list=False)}
    if len(files) > 1:
        bound[streams_input(name)] = BundledInput(files=tuple(files[1:]), is_list=True)
    return bound
