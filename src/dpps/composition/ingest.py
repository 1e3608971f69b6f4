"""The ingest of one system: settings, workers and lock of its hand-over folders."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from dpps.composition.data import build_catalogue, build_inspectors
from dpps.composition.instance import Instance
from dpps.composition.preservation import PolicyInForce, policy_file
from dpps.composition.principals import service_principal
from dpps.composition.state import StateFolder
from dpps.composition.storage import build_storage, local_root
from dpps.data.ingest.folder_lock import hold_folder
from dpps.data.ingest.values import IngestSettings
from dpps.data.policy import PreservationPolicy
from dpps.data.ports import Catalogue, FileInspector, Storage
from dpps.domain.errors import InvalidInput
from dpps.domain.principals import Principal

if TYPE_CHECKING:
    from dpps.adapters.processes.crew import ProcessCrew

__all__ = [
    "IngestPartsOfSystem",
    "build_ingest_crew",
    "build_ingest_parts",
    "build_ingest_settings",
    "handover_root",
    "hold_handover",
]

_WORKERS_MAX = 4
"""Beyond, a catalogue on the same machine is what takes the time."""
_FEW_FILES = 8
_SETTLE_SECONDS = 5.0


class IngestPartsOfSystem(TypedDict):
    """What a watching process works with; the names are those of its own description."""

    principal: Principal
    connect: Callable[[], Catalogue]
    storage: Storage
    inspectors: list[FileInspector]
    policy: Callable[[], PreservationPolicy]
    settings: IngestSettings
    crew: ProcessCrew


def handover_root(folder: StateFolder, handover: Path | None = None) -> Path:
    """Return the hand-over folder that is meant: the system's own where none is named."""
    return (handover or folder.handover).absolute()


def build_ingest_settings(
    folder: StateFolder,
    *,
    handover: Path | None = None,
    array_site: str | None = None,
    remove_handed_over: bool = False,
    dry_run: bool = False,
    workers: int | None = None,
) -> IngestSettings:
    """Return the settings of an ingest pass.

    A hand-over folder that is the root of an on-site storage is registered in place: of a storage that is a
    folder, or of one whose server this system runs.

    Parameters
    ----------
    folder : StateFolder
        The system.
    handover : Path, optional
        Hand-over folder; the system's own by default.
    array_site, remove_handed_over, dry_run
        See `dpps.data.ingest.values.IngestSettings`.
    workers : int, optional
        How many files are read, and copied, at the same time; as many as there are processors by default.

    Raises
    ------
    InvalidInput
        When the array site is none.
    """
    from dpps.products.received import ARRAY_SITES

    if array_site is not None and array_site not in ARRAY_SITES:
        raise InvalidInput(
            f"{array_site!r} is no array site",
            code="array-site-unknown",
            next_step=f"give one of {', '.join(ARRAY_SITES)}",
            array_site=array_site,
        )
    instance = Instance.load(folder)
    root = handover_root(folder, handover)
    onsite = [site for site in instance.sites if site.onsite]
    in_place = next((one.rse for one in onsite if local_root(folder, instance, one) == root.resolve()), None)
    return IngestSettings(
        handover=root,
        vo=instance.vo,
        array_site=array_site,
        in_place_rse=in_place,
        remove_handed_over=remove_handed_over,
        dry_run=dry_run,
        copies_at_once=workers or _workers(),
    )


def build_ingest_crew(workers: int | None = None, *, few: int = _FEW_FILES) -> ProcessCrew:
    """Return the processes that read files.

    Parameters
    ----------
    workers : int, optional
        How many; as many as there are processors, but not more than four, by default.
    few : int
        Up to so many files are read by the caller itself.
    """
    from dpps.adapters.processes.crew import ProcessCrew

    preload = ("dpps.adapters.zfits.inspector", "dpps.adapters.eventio.simtel", "astropy.io.fits")
    return ProcessCrew(
        workers or _workers(), few=few, preload=(*preload, "ctao_datamodel.models.dataproducts")
    )


def build_ingest_parts(
    folder: StateFolder, *, settings: IngestSettings | None = None, principal: Principal | None = None
) -> IngestPartsOfSystem:
    """Return what a process works with that watches a hand-over folder, as the ingest service does.

    A damaged file may still be being written: it has some seconds to change before it is quarantined.

    Parameters
    ----------
    folder : StateFolder
        The system.
    settings : IngestSettings, optional
        Those of the service by default.
    principal : Principal, optional
        Who ingests; the service by default.
    """
    chosen = settings or build_ingest_settings(folder)
    return {
        "principal": principal or service_principal("ingest"),
        "connect": lambda: build_catalogue(folder, "ingest"),
        "storage": build_storage(folder, "ingest"),
        "inspectors": build_inspectors(),
        "policy": PolicyInForce(policy_file(folder)).read,
        "settings": replace(chosen, settle_seconds=_SETTLE_SECONDS),
        "crew": build_ingest_crew(chosen.copies_at_once, few=0),
    }


def hold_handover(folder: StateFolder, handover: Path, holder: str) -> AbstractContextManager[None]:
    """Be the only one of this system who ingests from a folder.

    Raises
    ------
    Conflict
        On entering, when another process does.
    """
    return hold_folder(folder.run / "locks", handover, holder)


def _workers() -> int:
    return max(1, min(_WORKERS_MAX, len(os.sched_getaffinity(0))))
