"""What reading the archive needs: catalogue, storages, named datasets, reports of damage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache

from dpps.composition.data import build_catalogue, build_policy
from dpps.composition.instance import Instance
from dpps.composition.principals import local_principal
from dpps.composition.rucio_accounts import connect_account
from dpps.composition.state import StateFolder
from dpps.composition.storage import build_storage
from dpps.data.named_datasets import NamedDatasets
from dpps.data.packages import ExportParts, ImportParts
from dpps.data.retrieval import DamagedCopy, DamageReports, RetrievalParts
from dpps.domain.errors import NotAuthorized
from dpps.domain.principals import Action, authorize

__all__ = ["build_export_parts", "build_import_parts", "build_retrieval_parts", "open_named_datasets"]

_REPORTER = "preservation"
_WRITERS = {Action.INGEST: "ingest"}
_PUBLISHER = "production"
"""Accounts of the catalogue by what importing a file asks leave for: the telescopes' data, and all else."""


@contextmanager
def open_named_datasets(folder: StateFolder) -> Iterator[NamedDatasets]:
    """Give the named datasets of a system, for as long as the block runs."""
    from dpps.adapters.sql.engine import build_engine
    from dpps.adapters.sql.named_datasets import SqlNamedDatasets

    engine = build_engine(Instance.load(folder).database(folder, "dpps"))
    try:
        yield SqlNamedDatasets(engine)
    finally:
        engine.dispose()


def build_retrieval_parts(folder: StateFolder) -> RetrievalParts:
    """Return what retrieving works with; damage is reported where the local principal may do so."""
    return RetrievalParts(
        catalogue=build_catalogue(folder, "reader"),
        storage=build_storage(folder, "reader"),
        reports=_reports(folder),
    )


def build_export_parts(folder: StateFolder) -> ExportParts:
    """Return what exporting packages works with."""
    return ExportParts(
        catalogue=build_catalogue(folder, "reader"),
        storage=build_storage(folder, "reader"),
        policy=build_policy(folder),
    )


def build_import_parts(folder: StateFolder, rse: str | None = None) -> ImportParts:
    """Return what importing packages works with.

    Parameters
    ----------
    folder : StateFolder
        The system.
    rse : str, optional
        Storage that takes the first copy; the one near to where jobs run by default.
    """
    instance = Instance.load(folder)
    return ImportParts(
        catalogue=build_catalogue(folder, "reader"),
        writer=cache(lambda action: build_catalogue(folder, _WRITERS.get(action, _PUBLISHER))),
        storage=build_storage(folder),
        policy=build_policy(folder),
        rse=rse or instance.computing_storage,
        vo=instance.vo,
    )


def _reports(folder: StateFolder) -> DamageReports | None:
    try:
        authorize(local_principal(folder), Action.AUDIT, "damaged copies")
    except NotAuthorized:
        return None
    return _LateReports(folder)


class _LateReports:
    """Connects when there is something to report, which is rare."""

    def __init__(self, folder: StateFolder) -> None:
        self._folder = folder
        self._reports: DamageReports | None = None

    def suspect(self, copies: Sequence[DamagedCopy]) -> None:
        from dpps.adapters.rucio.suspicions import RucioDamageReports

        if self._reports is None:
            self._reports = RucioDamageReports(connect_account(self._folder, _REPORTER))
        self._reports.suspect(copies)
