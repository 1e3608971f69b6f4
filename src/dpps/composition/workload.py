"""Wiring of the workload system: store, engine, CWL, agent, and what a worker uses."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from dpps.composition.data import build_catalogue
from dpps.composition.instance import Endpoint, Instance
from dpps.composition.job_storage import build_job_storage, job_storage_access
from dpps.composition.preservation import PolicyInForce, policy_file
from dpps.composition.principals import service_principal
from dpps.composition.reading import open_named_datasets
from dpps.composition.settings import read_settings
from dpps.composition.state import StateFolder
from dpps.composition.storage import build_storage
from dpps.composition.tokens import TokenIssuer, build_tokens
from dpps.workload.bundle import JobBundle
from dpps.workload.context import WorkloadContext
from dpps.workload.planning import PlanningParts
from dpps.workload.ports import Processes, ProcessRunner, WorkStore
from dpps.workload.running import WorkerTools

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from dpps.adapters.sql.work_store import SqlWorkStore

__all__ = [
    "WorkloadParts",
    "WorkloadSettings",
    "build_processes",
    "build_work_store",
    "build_worker_tools",
    "build_workload",
    "open_planning",
    "open_work_store",
    "utc_now",
]

_CATALOGUE_ACCOUNT = "production"
_STORAGE_PATIENCE_SECONDS = 180.0
_COURTESY_SECONDS = 5.0
"""How long a job tries to announce its start: where it needs the answer to open storages, and where not."""


class WorkloadSettings(BaseSettings):
    """Settings of the workload service, from variables ``DPPS_WORKLOAD_…``."""

    model_config = SettingsConfigDict(env_prefix="DPPS_WORKLOAD_", use_attribute_docstrings=True)

    workers: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1, le=256)
    """Jobs that run at the same time. Default: the number of cores."""
    idle_seconds: float = Field(default=120.0, ge=0)
    """How long idle workers are kept. Default: 120 s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadParts:
    """What the workload service runs with."""

    settings: WorkloadSettings
    endpoint: Endpoint
    context: WorkloadContext
    tokens: TokenIssuer
    prepare: Callable[[], None]
    """Brings the database schema up to date."""


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


def build_work_store(folder: StateFolder) -> SqlWorkStore:
    """Return the work store of a system; its `close` is the caller's."""
    from dpps.adapters.sql.work_store import SqlWorkStore

    return SqlWorkStore(_engine(folder))


def _engine(folder: StateFolder) -> Engine:
    from dpps.adapters.sql.engine import build_engine

    return build_engine(Instance.load(folder).database(folder, "dpps"))


@contextmanager
def open_work_store(folder: StateFolder) -> Iterator[WorkStore]:
    """Give the work store of a system for the time of a block."""
    store = build_work_store(folder)
    try:
        yield store
    finally:
        store.close()


def build_processes() -> Processes:
    """Return the reader of CWL documents."""
    from dpps.adapters.cwltool.documents import CwltoolProcesses

    return CwltoolProcesses()


@contextmanager
def open_planning(folder: StateFolder) -> Iterator[PlanningParts]:
    """Give what productions are planned with, for the time of a block."""
    with open_named_datasets(folder) as datasets:
        yield PlanningParts(
            catalogue=build_catalogue(folder, _CATALOGUE_ACCOUNT),
            datasets=datasets,
            processes=build_processes(),
        )


def build_workload(folder: StateFolder, run: Callable[[str], object]) -> WorkloadParts:
    """Return the parts of the workload service; touches neither database nor catalogue.

    Parameters
    ----------
    folder : StateFolder
        The system.
    run : callable
        Module-level function that runs a bundle (JSON text) on a worker.

    Raises
    ------
    NotFound, InvalidInput
        When the folder holds no system, or its description or the settings are wrong.
    """
    from dpps.adapters.parsl.engine import ParslEngine
    from dpps.adapters.sql.engine import migrate
    from dpps.adapters.sql.named_datasets import SqlNamedDatasets
    from dpps.adapters.sql.work_store import SqlWorkStore

    settings = read_settings(WorkloadSettings)
    instance = Instance.load(folder)
    endpoint, engine = instance.endpoint("workload"), _engine(folder)
    tokens = build_tokens(folder, utc_now)
    context = WorkloadContext(
        principal=service_principal("workload"),
        store=SqlWorkStore(engine),
        engine=ParslEngine(
            run,
            folder.work / "parsl",
            workers=settings.workers,
            idle_seconds=settings.idle_seconds,
        ),
        processes=build_processes(),
        catalogue=build_catalogue(folder, _CATALOGUE_ACCOUNT),
        datasets=SqlNamedDatasets(engine),
        storage=build_storage(folder, "workload"),
        policy=PolicyInForce(policy_file(folder)).read,
        vo=instance.vo,
        computing_storage=instance.computing_storage,
        report_base_url=endpoint.url,
        issue_token=tokens.for_job,
        storage_access=partial(job_storage_access, folder),
        clock=utc_now,
    )
    url = instance.database(folder, "dpps")
    return WorkloadParts(
        settings=settings,
        endpoint=endpoint,
        context=context,
        tokens=tokens,
        prepare=lambda: migrate(url),
    )


def build_worker_tools(bundle: JobBundle) -> WorkerTools:
    """Return what a worker uses for one job: made of the bundle alone."""
    from dpps.adapters.http.report_channel import HttpReportChannel

    return WorkerTools(
        open_storage=build_job_storage,
        runner=_process_runner(),
        channel=HttpReportChannel(
            bundle.report_url, bundle.token, start_patience_seconds=_start_patience_seconds(bundle)
        ),
        clock=utc_now,
    )


def _start_patience_seconds(bundle: JobBundle) -> float:
    """Return how long a start is announced: where it is a courtesy, not for long."""
    return _STORAGE_PATIENCE_SECONDS if bundle.needs_servers else _COURTESY_SECONDS


_runner: ProcessRunner | None = None


def _process_runner() -> ProcessRunner:
    """Return this process's runner: it keeps documents that it has loaded."""
    global _runner
    if _runner is None:
        from dpps.adapters.cwltool.runner import CwltoolRunner

        _runner = CwltoolRunner()
    return _runner
