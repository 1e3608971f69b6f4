"""The start of a job: whether it is wanted still, and what opens the storages to it.

Tokens for storages end, and a job may wait for days before it runs. So it is given them when it starts, by
the workload service, and its bundle holds none.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from dpps.domain.names import Lfn
from dpps.domain.principals import Principal
from dpps.workload.bundle import JobStart
from dpps.workload.bundling import temporary_folder
from dpps.workload.context import StorageNeeds, WorkloadContext
from dpps.workload.reporting import start_job

__all__ = ["begin_job", "folders_of"]

_MARGIN_SECONDS: Final = 6 * 3600
"""How long beyond a job's allowed duration its access to storages is good: transfers and their retries."""
_FOLDERS: Final = 8
"""A token travels in a header of each request, so it names few folders."""


def begin_job(principal: Principal, context: WorkloadContext, job: str) -> JobStart:
    """Note that a job begins, and give it what opens the storages from now on.

    A job that announces itself again, because the answer was lost, is given fresh tokens again.

    Raises
    ------
    NotAuthorized, NotFound
        As `dpps.workload.reporting.start_job`.
    """
    if not start_job(principal, context.store, job, now=context.clock()):
        return JobStart(wanted=False)
    return JobStart(wanted=True, storage=context.storage_access(_needs(context, job)))


def folders_of(lfns: Iterable[str], limit: int = _FOLDERS) -> tuple[str, ...]:
    """Return at most ``limit`` folders that hold all these files: their own, or those above.

    Never more than the folder of a scope is opened for its files, and where files of more than ``limit``
    scopes are read, that of the VO.
    """
    folders = {Lfn(name).parent for name in lfns}
    while len(folders) > limit:
        deepest = max(folder.count("/") for folder in folders)
        folders = {
            folder.rpartition("/")[0] if folder.count("/") == deepest else folder for folder in folders
        }
    inner = {one for one in folders for other in folders if one.startswith(f"{other}/")}
    return tuple(sorted(folders - inner))


def _needs(context: WorkloadContext, job: str) -> StorageNeeds:
    task = context.store.task(context.store.job(job).task)
    step = context.store.transformation(task.transformation).definition
    return StorageNeeds(
        job=job,
        reads=folders_of(lfn for lfns in task.inputs.values() for lfn in lfns),
        writes=temporary_folder(job, vo=context.vo, url_prefix=""),
        seconds=step.resources.wall_seconds + _MARGIN_SECONDS,
    )
