"""The gate that released copies pass before they are deleted, of one system."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING

from dpps.composition.instance import Instance
from dpps.composition.preservation import PreservationSettings
from dpps.composition.settings import read_settings
from dpps.composition.state import StateFolder
from dpps.composition.storage import build_storage
from dpps.data.audit.reading import Reader
from dpps.data.preservation.releasing import ReleaseGate

if TYPE_CHECKING:
    from sqlalchemy import Engine

__all__ = ["DeletionGuard", "build_deletion_guard", "build_gate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionGuard:
    """What the process that deletes works with."""

    gate: ReleaseGate
    onsite: frozenset[str]
    """RSEs whose copies pass the gate."""
    prepare: Callable[[], None]
    """Brings the database schema up to date, once; that process may be the first of a new version."""


def build_deletion_guard(folder: StateFolder) -> DeletionGuard:
    """Return the guard for the system in a state folder; touches neither database nor storage.

    Parameters
    ----------
    folder : StateFolder
        The system.

    Raises
    ------
    NotFound, InvalidInput
        When the folder holds no system, or its description or the settings are wrong.
    """
    from dpps.adapters.sql.engine import build_engine, migrate

    instance = Instance.load(folder)
    url = instance.database(folder, "dpps")
    return DeletionGuard(
        gate=build_gate(folder, build_engine(url, connections_max=2), "catalogue"),
        onsite=frozenset(site.rse for site in instance.sites if site.onsite),
        prepare=cache(lambda: migrate(url)),
    )


def build_gate(folder: StateFolder, engine: Engine, service: str) -> ReleaseGate:
    """Return the gate of the system in a state folder; touches neither database nor storage.

    Parameters
    ----------
    folder : StateFolder
        The system.
    engine : sqlalchemy.Engine
        Its database ``dpps``.
    service : str
        Whose credential looks at the storages.

    Raises
    ------
    NotFound, InvalidInput
        When the folder holds no system, or its description or the settings are wrong.
    """
    from dpps.adapters.sql.evidence import SqlEvidence
    from dpps.adapters.sql.releases import SqlReleases

    settings = read_settings(PreservationSettings)
    reader = Reader(
        storage=build_storage(folder, service),
        evidence=SqlEvidence(engine),
        proof_age_max=timedelta(days=settings.proof_days),
    )
    prefixes = {site.rse: site.url_prefix for site in Instance.load(folder).sites}
    return ReleaseGate(reader=reader, releases=SqlReleases(engine), url_prefixes=prefixes)
