"""The end of a run: what must be true when no fault is left, from file systems alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from dpps.testing.faults.disks import Disks
from dpps.testing.faults.feeding import trigger_of
from dpps.testing.faults.ledger import Entry, Expectation
from dpps.testing.faults.watching import Site, Watch

__all__ = ["Verdict", "await_policy", "shortcomings"]

_LOOK_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How the run ended."""

    seconds: float
    """From the end of the last fault to the state that the policy asks for, or to the end of patience."""
    shortcomings: dict[str, list[str]]
    """What was not true then, by invariant; empty when all was well."""


def await_policy(
    watch: Watch, *, patience_seconds: float, report: Callable[[dict[str, list[str]]], None]
) -> Verdict:
    """Wait until everything is as it must be, without touching anything.

    Parameters
    ----------
    watch : Watch
        Sees the files.
    patience_seconds : float
        The stated time.
    report : callable
        Gets what is still missing, at every look.
    """
    begun = time.monotonic()
    while True:
        watch.sweep()
        missing = shortcomings(watch)
        if not missing:
            # What seems unchanged is read once more, to the last byte.
            watch.sweep(afresh=True)
            missing = shortcomings(watch)
        seconds = time.monotonic() - begun
        if not missing or seconds > patience_seconds:
            return Verdict(seconds=round(seconds, 1), shortcomings=missing)
        report(missing)
        time.sleep(_LOOK_SECONDS)


def shortcomings(watch: Watch) -> dict[str, list[str]]:
    """Return what is not as it must be when no fault is left, by invariant."""
    found: dict[str, list[str]] = {}

    def note(invariant: str, what: str) -> None:
        found.setdefault(invariant, []).append(what)

    for entry in watch.ledger:
        if (wrong := _wrong_place(watch, entry)) is not None:
            note("everything reaches its policy", f"{entry.lfn}: {wrong}")
    for site in watch.sites:
        for lfn in watch.disks.files(site.rse):
            if (why := _dark(watch, site, lfn)) is not None:
                note("nothing dark remains", f"{site.rse}{lfn}: {why}")
    return found


def _wrong_place(watch: Watch, entry: Entry) -> str | None:
    """Say what of an entry is not at its end yet."""
    trigger = trigger_of(watch.handover / entry.relative)
    if entry.announced and trigger.is_symlink() and not entry.rivalled:
        return "its trigger is left"
    if entry.expectation is Expectation.QUARANTINED:
        return None if entry.quarantined else "it is damaged and not in quarantine"
    if entry.expectation is Expectation.EITHER and entry.quarantined and not entry.good_at:
        return None
    offsite = watch.offsite_good(entry)
    if len(offsite) != watch.copies:
        return f"good off-site copies at {sorted(offsite) or 'no storage'}"
    if onsite := entry.good_at - offsite:
        return f"its on-site copy is left at {sorted(onsite)}"
    return f"damaged copies: {entry.hurt}" if entry.hurt else None


def _dark(watch: Watch, site: Site, lfn: str) -> str | None:
    """Say why a file should not be on a disk, or None when it should."""
    entry = watch.ledger.find(lfn.removeprefix("/"))
    if entry is None:
        return "it belongs to nobody"
    if entry.expectation is Expectation.QUARANTINED:
        return "it is a damaged file's"
    if site.rse not in entry.good_at and site.rse not in entry.hurt:
        return "other bytes than the original's"
    return None


def disks_hold(disks: Disks, sites: list[Site]) -> dict[str, int]:
    """Return how many files each storage holds."""
    return {site.rse: sum(1 for _ in disks.files(site.rse)) for site in sites}
