"""Looking, all the time: at the hand-over folder, at every disk, and at what the system serves."""

from __future__ import annotations

import random
import shutil
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from dpps.testing.faults.disks import Disks
from dpps.testing.faults.feeding import trigger_of
from dpps.testing.faults.ledger import Entry, Expectation, Ledger, digest_of
from dpps.testing.faults.subject import Subject

__all__ = ["Findings", "Reader", "Site", "Violation", "Watch"]

_SWEEP_SECONDS = 0.5
_READ_PAUSE_SECONDS = 1.0
_FILES_A_COMMAND = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One broken invariant."""

    invariant: str
    subject: str
    detail: str
    at_seconds: float
    """Since the bed began."""


class Findings:
    """Broken invariants and how often each was looked at; threads share it."""

    def __init__(self, begun: float) -> None:
        self._begun = begun
        self._lock = threading.Lock()
        self.violations: list[Violation] = []
        self.checks: dict[str, int] = {}

    def count(self, invariant: str, checks: int = 1) -> None:
        """Note that something was looked at."""
        with self._lock:
            self.checks[invariant] = self.checks.get(invariant, 0) + checks

    def broken(self, invariant: str, subject: str, detail: str) -> None:
        """Note a broken invariant, once for each subject."""
        with self._lock:
            if any((one.invariant, one.subject) == (invariant, subject) for one in self.violations):
                return
            at = round(time.monotonic() - self._begun, 1)
            self.violations.append(
                Violation(invariant=invariant, subject=subject, detail=detail, at_seconds=at)
            )


@dataclass(frozen=True, slots=True)
class Site:
    """A storage and what of it matters here."""

    rse: str
    onsite: bool


@dataclass(slots=True)
class Watch:
    """Sweeps over all files again and again.

    Parameters
    ----------
    disks : Disks
        Where the bytes really are.
    sites : list of Site
        All storages.
    handover : Path
        The hand-over folder.
    ledger, findings
        What is known, and what is wrong.
    copies : int
        Good off-site copies that the policy asks for.
    """

    disks: Disks
    sites: list[Site]
    handover: Path
    ledger: Ledger
    findings: Findings
    copies: int = 2
    _known: dict[tuple[str, str], tuple[tuple[int, ...], str]] = field(default_factory=dict)

    def run(self, stop: threading.Event) -> None:
        """Sweep until told to stop."""
        while not stop.is_set():
            self.sweep()
            stop.wait(_SWEEP_SECONDS)

    def sweep(self, *, afresh: bool = False) -> None:
        """Look at every file once; `afresh` reads all bytes, even of files that seem unchanged."""
        if afresh:
            self._known.clear()
        for entry in self.ledger:
            with self.ledger.lock:  # no fault is done to a file while it is judged
                self._note_acceptance(entry)
                self._look_at_copies(entry)

    def offsite_good(self, entry: Entry) -> frozenset[str]:
        """Return the off-site storages with a good copy, as last seen."""
        return frozenset(site.rse for site in self.sites if not site.onsite) & entry.good_at

    def quarantine_places(self, entry: Entry) -> Iterable[Path]:
        """Yield where a file can lie in quarantine."""
        place = self.handover / entry.relative.replace("/DL0/", "/INVALID_DL0/", 1)
        yield place
        yield from place.parent.glob(f"{place.name}~*")

    def _note_acceptance(self, entry: Entry) -> None:
        handed = self.handover / entry.relative
        if entry.accepted_at is not None:
            return
        if trigger_of(handed).is_symlink():
            return
        entry.quarantined = any(path.exists() for path in self.quarantine_places(entry))
        # Before its trigger was placed a file is nobody's; the sender places it right after the file.
        if handed.exists() and not entry.quarantined and entry.announced:
            entry.accepted_at = time.monotonic()
            if entry.expectation is Expectation.QUARANTINED:
                self.findings.broken("damaged files are never archived", entry.lfn, "its trigger vanished")

    def _look_at_copies(self, entry: Entry) -> None:
        # On site first: a copy goes from there only when there are others, and those stay.
        good: set[str] = set()
        for site in sorted(self.sites, key=lambda one: not one.onsite):
            digest = self._digest(site.rse, entry)
            if digest == entry.digest:
                good.add(site.rse)
                entry.hurt.pop(site.rse, None)
            elif digest is not None and site.rse not in entry.hurt:
                self._report_wrong_copy(entry, site.rse)
            elif digest is None:
                entry.hurt.pop(site.rse, None)
        entry.good_at = frozenset(good)
        if len(self.offsite_good(entry)) >= self.copies and entry.safe_at is None:
            entry.safe_at = time.monotonic()
        if entry.accepted_at is not None and not entry.sacrificed:
            self.findings.count("no accepted file is without a good copy")
            if not good:
                held = {site.rse: self._digest(site.rse, entry) for site in self.sites}
                self.findings.broken("no accepted file is without a good copy", entry.lfn, f"disks: {held}")

    def _report_wrong_copy(self, entry: Entry, rse: str) -> None:
        self.findings.broken(
            "no damage spreads", f"{rse}{entry.lfn}", f"other bytes than the original's; hurt: {entry.hurt}"
        )

    def _digest(self, rse: str, entry: Entry) -> str | None:
        path = self.disks.content(rse) / entry.relative
        try:
            status = path.stat()
            signature = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
            known = self._known.get((rse, entry.relative))
            if known is None or known[0] != signature:
                known = self._known[rse, entry.relative] = signature, digest_of(path)
        except FileNotFoundError:
            return None
        return known[1]


@dataclass(slots=True)
class Reader:
    """Retrieves accepted files, all the time, and compares what it gets with the originals.

    Parameters
    ----------
    subject : Subject
        The system.
    folder : Path
        Where to retrieve to.
    ledger, findings
        What is known, and what is wrong.
    random : random.Random
        Chooses the files.
    """

    subject: Subject
    folder: Path
    ledger: Ledger
    findings: Findings
    random: random.Random
    served: int = 0
    refused: int = 0

    def run(self, stop: threading.Event) -> None:
        """Read until told to stop."""
        while not stop.wait(_READ_PAUSE_SECONDS):
            entries = self.ledger.accepted()
            if entries:
                self.read(self.random.sample(entries, min(_FILES_A_COMMAND, len(entries))))

    def read(self, entries: list[Entry]) -> int:
        """Retrieve some files; return how many were served."""
        shutil.rmtree(self.folder, ignore_errors=True)
        names = [entry.lfn for entry in entries]
        self.subject.command("data", "get", *names, "-o", str(self.folder), "--json")
        there = [entry for entry in entries if self._is_served(entry)]
        self.served += len(there)
        self.refused += len(entries) - len(there)
        return len(there)

    def _is_served(self, entry: Entry) -> bool:
        path = self.folder / Path(entry.relative).name
        if not path.exists():
            return False
        self.findings.count("nothing wrong is served")
        if digest_of(path) != entry.digest:
            self.findings.broken("nothing wrong is served", entry.lfn, f"{path.stat().st_size} other bytes")
        return True
