"""Bringing winners into the archive, and removing what the others left."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog

from dpps.data.publishing import ProductToPublish, publish
from dpps.domain.errors import Conflict, DamagedFile, DppsError, NotFound
from dpps.domain.files import ArchivedFile, FileContent
from dpps.products.derivation import DerivedProduct
from dpps.products.provenance import ActivityRecord
from dpps.workload.bundle import JobReport
from dpps.workload.bundling import temporary_folder
from dpps.workload.context import WorkloadContext
from dpps.workload.outputs import activity_of, describe_outputs
from dpps.workload.records import LineageEntry, OutboxEntry, Task, TaskInputs

__all__ = ["clean_up", "input_files", "publish_due", "storage_prefix"]

_PAUSES = (timedelta(seconds=2), timedelta(seconds=10), timedelta(seconds=60))
_AT_ONCE = 50


def publish_due(context: WorkloadContext) -> int:
    """Publish the winners that are due; return how many left the outbox.

    A catalogue or storage that does not answer postpones a winner; a product that cannot enter the archive
    fails its task. Killed between any two steps, the next call finishes the work.
    """
    left = 0
    for entry in context.store.outbox(context.clock(), limit=_AT_ONCE):
        try:
            products = _publish(context, entry)
        except DppsError as error:
            left += _after_error(context, entry, error)
        else:
            left += _note_published(context, entry, products)
    return left


def _note_published(context: WorkloadContext, entry: OutboxEntry, products: list[LineageEntry]) -> int:
    try:
        context.store.published(entry.task, products, context.clock())
    except Conflict as taken:
        return _after_error(context, entry, taken)
    return 1


def _after_error(context: WorkloadContext, entry: OutboxEntry, error: DppsError) -> int:
    log = structlog.get_logger(__name__).bind(task=entry.task, job=entry.job, code=error.code)
    if not error.retryable:
        log.error("products cannot be published", error=error.message)
        reason = f"the products cannot enter the archive: {error.message}"
        context.store.give_up_publishing(entry.task, reason=reason, at=context.clock())
        return 1
    pause = _PAUSES[min(entry.attempts, len(_PAUSES) - 1)]
    log.warning("publishing is postponed", error=error.message, seconds=pause.total_seconds())
    context.store.postpone(entry.task, error=error.message, next_try_at=context.clock() + pause)
    return 0


def _publish(context: WorkloadContext, entry: OutboxEntry) -> list[LineageEntry]:
    task = context.store.task(entry.task)
    step = context.store.transformation(task.transformation).definition
    report = context.store.job(entry.job).report
    if report is None:
        raise NotFound(f"the report of job {entry.job} is gone", next_step="run the production again")
    submitter = context.store.production(task.id.split(".")[0]).submitter
    files = input_files(context, task.inputs)
    activity = activity_of(step, job=entry.job, report=report, agent=submitter)
    prefix = storage_prefix(context)
    by_input = {name: [files[lfn] for lfn in lfns] for name, lfns in task.inputs.items()}
    derived = describe_outputs(step, by_input, activity, vo=context.vo, task=task.number)
    outcomes = publish(
        context.principal,
        context.catalogue,
        context.storage,
        context.policy(),
        [
            _to_publish(context, entry.job, report, output, product, prefix)
            for output, product in derived.items()
        ],
    )
    for outcome in outcomes:
        if outcome.error is not None:
            raise outcome.error
    return [
        _lineage(task, entry.job, output, product, activity, context.clock())
        for output, product in derived.items()
    ]


def _to_publish(
    context: WorkloadContext,
    job: str,
    report: JobReport,
    output: str,
    product: DerivedProduct,
    url_prefix: str,
) -> ProductToPublish:
    reported = next(known for known in report.outputs if known.output == output)
    promised = f"{temporary_folder(job, vo=context.vo, url_prefix='')}/{product.lfn.basename}"
    if not reported.url.endswith(promised):
        # What is published is moved: no job may name a file that it did not write itself.
        raise DamagedFile(
            f"the job reports {output!r} at {reported.url}; it was told to write {promised}",
            code="report-elsewhere",
            next_step="see who had the token of this job; then submit what is missing as a new production",
            url=reported.url,
        )
    return ProductToPublish(
        temporary_url=url_prefix + promised,
        lfn=product.lfn,
        rse=context.computing_storage,
        content=FileContent(size_bytes=reported.size_bytes, adler32=reported.adler32),
        metadata=product.metadata,
        dataset=product.dataset,
    )


def _lineage(
    task: Task, job: str, output: str, product: DerivedProduct, activity: ActivityRecord, at: datetime
) -> LineageEntry:
    return LineageEntry(
        lfn=product.lfn.name,
        output=output,
        inputs=tuple(sorted({lfn for lfns in task.inputs.values() for lfn in lfns})),
        task=task.id,
        job=job,
        activity={
            "id": activity.activity_id,
            "software": activity.software,
            "version": activity.software_version,
            "configuration": activity.configuration_id,
            "published": at.isoformat(),
        },
    )


def input_files(context: WorkloadContext, inputs: TaskInputs) -> dict[str, ArchivedFile]:
    """Return the input files of a task by LFN.

    Raises
    ------
    NotFound
        When the catalogue does not know one of them.
    """
    from dpps.domain.names import Lfn

    lfns = list(dict.fromkeys(lfn for given in inputs.values() for lfn in given))
    found = dict(zip(lfns, context.catalogue.files([Lfn(lfn) for lfn in lfns]), strict=True))
    missing = [lfn for lfn, file in found.items() if file is None]
    if missing:
        raise NotFound(
            f"the catalogue does not know the input {missing[0]}",
            code="input-unknown",
            next_step=f"look it up: dpps data info {missing[0]}",
            lfn=missing[0],
        )
    return {lfn: file for lfn, file in found.items() if file is not None}


def storage_prefix(context: WorkloadContext) -> str:
    """Return the URL prefix of the computing storage.

    Raises
    ------
    NotFound
        When the catalogue does not know it.
    """
    for element in context.catalogue.storage_elements():
        if element.rse == context.computing_storage:
            return element.url_prefix
    raise NotFound(
        f"the catalogue knows no storage {context.computing_storage!r}, near to which jobs run",
        code="rse-unknown",
        next_step="list the storages with: dpps site list",
        rse=context.computing_storage,
    )


def clean_up(context: WorkloadContext) -> int:
    """Delete the temporary files of ended jobs that are no products; return how many jobs that were."""
    jobs = context.store.to_clean(limit=_AT_ONCE)
    prefix = storage_prefix(context) if jobs else ""
    for job in jobs:
        folder = temporary_folder(job.id, vo=context.vo, url_prefix=prefix)
        for url in list(context.storage.list_files(folder)):
            context.storage.delete(url)
        context.store.cleaned(job.id)
    return len(jobs)
