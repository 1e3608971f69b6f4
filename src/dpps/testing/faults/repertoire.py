"""Which faults there are on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dpps.testing.faults.fault import Fault
from dpps.testing.faults.file_faults import AtRest, DamagedAtSource, Duplicate, InFlight, OnSiteBeforeCopies
from dpps.testing.faults.process_faults import (
    ClockStep,
    Freeze,
    Kill,
    KillChild,
    KillSupervisor,
    Unreachable,
)
from dpps.testing.faults.storage_faults import DiskFull, StorageAway

if TYPE_CHECKING:
    from dpps.testing.faults.bed import Bed

__all__ = ["all_faults", "few_faults"]

_AT_SOURCE = ("flipped", "truncated", "flipped after trigger", "flipped silently after trigger")
_AT_REST = ("flipped", "truncated", "lost")
_DUPLICATES = ("same content", "other content")


def few_faults(bed: Bed) -> list[Fault]:
    """Return the faults of the short case: each service killed, damaged files, duplicates."""
    return [
        *(Kill(bed.subject, service) for service in bed.subject.services()),
        *(DamagedAtSource(bed.sender, target) for target in ("flipped", "truncated")),
        *(Duplicate(bed.sender, bed.ledger, target) for target in _DUPLICATES),
        AtRest(bed.disks, bed.sites, bed.ledger, "flipped"),
    ]


def all_faults(bed: Bed) -> list[Fault]:
    """Return every fault on every victim."""
    services = bed.subject.services()
    return [
        *(Kill(bed.subject, service) for service in services),
        *(KillChild(bed.subject, service) for service in services if _has_children(bed, service)),
        KillSupervisor(bed.subject),
        *(Freeze(bed.subject, service) for service in [*services, "supervisor"]),
        *_network_faults(bed, services),
        *_storage_faults(bed),
        *_file_faults(bed),
        *_clock_faults(bed),
    ]


def _has_children(bed: Bed, service: str) -> bool:
    process = bed.subject.process(service)
    return process is not None and bool(process.children())


def _network_faults(bed: Bed, services: list[str]) -> list[Fault]:
    return [Unreachable(bed.subject, service) for service in services] if bed.disks.mounted else []


def _storage_faults(bed: Bed) -> list[Fault]:
    aside = bed.disks.folder.parent / "written-beside"
    away = [StorageAway(bed.disks, site.rse, bed.findings, aside) for site in bed.sites]
    full = [DiskFull(bed.disks, site.rse, site.rse) for site in bed.sites]
    return [*away, *full, DiskFull(bed.disks, "the system's own", None)]


def _file_faults(bed: Bed) -> list[Fault]:
    return [
        *(DamagedAtSource(bed.sender, target) for target in _AT_SOURCE),
        OnSiteBeforeCopies(bed.disks, bed.sender, bed.subject, bed.sites),
        *(
            InFlight(bed.disks, bed.sender, bed.subject, bed.sites, writer)
            for writer in ("transfers", "ingest")
        ),
        *(AtRest(bed.disks, bed.sites, bed.ledger, target) for target in _AT_REST),
        *(Duplicate(bed.sender, bed.ledger, target) for target in _DUPLICATES),
    ]


def _clock_faults(bed: Bed) -> list[Fault]:
    if "LD_PRELOAD" not in bed.subject.environment:
        return []
    return [ClockStep(bed.subject, bed.clock, direction) for direction in ("forward", "backward")]
