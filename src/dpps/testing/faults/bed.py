"""One run: bring the system up, feed it, hurt it, let it rest, judge it."""

from __future__ import annotations

import contextlib
import copy
import platform
import random
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from itertools import islice
from pathlib import Path

from dpps.data.policy.reading import packaged_policy_text
from dpps.domain.sites import DEFAULT_SITES
from dpps.testing.faults.disks import Disks
from dpps.testing.faults.fault import Fault, Impossible, Step, plan
from dpps.testing.faults.feeding import Sender
from dpps.testing.faults.judging import Verdict, await_policy
from dpps.testing.faults.ledger import Ledger
from dpps.testing.faults.repertoire import all_faults, few_faults
from dpps.testing.faults.report import FaultRecord, Report
from dpps.testing.faults.stepped_clock import SteppedClock
from dpps.testing.faults.subject import Subject
from dpps.testing.faults.watching import Findings, Reader, Site, Watch

__all__ = ["Bed", "Settings"]

_LOOK_SECONDS = 0.3
_FIRST_FILE_SECONDS = 240.0
_FURTHER_TRIES = 2
"""How often each fault is tried again that was not possible when its turn came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a run is about."""

    folder: Path
    """For state, disks, originals; empty or new."""
    seed: int
    seconds: float
    """How long faults go on at random, after each was injected once."""
    few: bool = False
    """The short, deterministic case: kills, damaged and duplicate files."""
    mounted: bool
    """Whether this process has namespaces of its own."""
    files_per_second: float = 1.5
    patience_seconds: float = 300.0
    """The stated time in which everything reaches its policy after the last fault."""
    command: str = ""


@dataclass(slots=True)
class _Open:
    record: FaultRecord
    fault: Fault
    healed_at: float


class Bed:
    """A run in the making.

    Parameters
    ----------
    settings : Settings
        What it is about.
    say : callable
        Gets lines about its progress.
    """

    def __init__(self, settings: Settings, say: Callable[[str], None]) -> None:
        self._settings = settings
        self._say = say
        self._begun = time.monotonic()
        dice = random.Random(settings.seed)  # noqa: S311 - to be repeatable is its purpose
        self.subject = Subject(settings.folder / "state")
        self.disks = Disks(settings.folder / "disks", self.subject.state, settings.mounted)
        self.ledger = Ledger()
        self.findings = Findings(self._begun)
        self.sender = Sender(
            self.subject.handover,
            settings.folder / "originals" / "handed",
            self.ledger,
            random.Random(dice.getrandbits(32)),  # noqa: S311
            settings.files_per_second,
        )
        self.reader = Reader(
            self.subject,
            settings.folder / "served",
            self.ledger,
            self.findings,
            random.Random(dice.getrandbits(32)),  # noqa: S311
        )
        self.clock = SteppedClock(settings.folder / "clock")
        self.sites: list[Site] = []
        self._records: list[FaultRecord] = []
        self._open: list[_Open] = []

    def run(self) -> Report:
        """Do all of it; the system is stopped at the end."""
        self._prepare()
        try:
            self._say("bringing the system up")
            self.subject.start()
            watch = Watch(self.disks, self.sites, self.subject.handover, self.ledger, self.findings)
            with self._threads(watch.run, self.reader.run, self._follow) as stop_all:
                with self._threads(self.sender.run):
                    self._await_first()
                    began = time.monotonic()
                    self._hurt()
                    seconds = time.monotonic() - began
                self._say(f"no more faults; waiting for {len(self.ledger)} files to reach their policy")
                verdict = self._settle(watch)
                stop_all.set()
            self._read_all()
            return self._report(seconds, verdict)
        finally:
            self.subject.stop()
            logs = self._settings.folder / "logs"
            shutil.copytree(self.subject.state / "logs", logs, dirs_exist_ok=True)

    def _prepare(self) -> None:
        self.sites = [Site(one.name, one.onsite) for one in DEFAULT_SITES]
        self._settings.folder.mkdir(parents=True, exist_ok=True)
        self._settings.folder.chmod(0o755)
        self.disks.prepare([site.rse for site in self.sites])
        self._hasten()
        if self._steps_clock:
            self.subject.environment.update(self.clock.environment())

    def _hasten(self) -> None:
        """Set the times of the audit, in production days, to what a run can wait for."""
        minute_in_days, minute_in_hours = 1 / 1440, 1 / 60
        self.subject.environment.update(
            DPPS_PRESERVATION_AUDIT_PERIOD_DAYS=f"{minute_in_days / 2:.6f}",
            DPPS_PRESERVATION_DARK_GRACE_HOURS=f"{minute_in_hours:.6f}",
            DPPS_PRESERVATION_SURVEY_HOURS=f"{minute_in_hours / 4:.6f}",
            DPPS_PRESERVATION_LOOK_HOURS=f"{minute_in_hours:.6f}",
        )
        policy = packaged_policy_text()
        hastened = re.sub(r"(?m)^(temporary:\n  lifetime: ).*$", r"\g<1>1 minute", policy)
        assert hastened != policy, "the packaged policy has another shape"
        (self.subject.state / "config" / "policy.yaml").write_text(hastened)

    @property
    def _steps_clock(self) -> bool:
        return not self._settings.few and self.clock.is_possible

    @contextlib.contextmanager
    def _threads(self, *work: Callable[[threading.Event], None]) -> Iterator[threading.Event]:
        """Run work in threads of its own until the block is left; what fails in them fails here."""
        stop, failures = threading.Event(), list[BaseException]()

        def guarded(one: Callable[[threading.Event], None]) -> None:
            try:
                one(stop)
            except BaseException as failure:
                failures.append(failure)

        threads = [threading.Thread(target=guarded, args=(one,), daemon=True) for one in work]
        for thread in threads:
            thread.start()
        try:
            yield stop
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        if failures:
            raise failures[0]

    def _await_first(self) -> None:
        """Wait until one file is where the policy wants it: from then on the bed is at work."""
        deadline = time.monotonic() + _FIRST_FILE_SECONDS
        while not any(entry.safe_at for entry in self.ledger):
            if time.monotonic() > deadline:
                raise RuntimeError(
                    f"no file reached two copies in {_FIRST_FILE_SECONDS:.0f} s, without faults"
                )
            time.sleep(_LOOK_SECONDS)

    def _hurt(self) -> None:
        faults = few_faults(self) if self._settings.few else all_faults(self)
        steps = plan(faults, self._settings.seed)
        skipped = [step for step in islice(steps, len(faults)) if not self._one_fault(step)]
        for _ in range(_FURTHER_TRIES):
            skipped = [step for step in skipped if not self._one_fault(step)]
        began_random = time.monotonic()
        for step in steps:
            if time.monotonic() - began_random >= self._settings.seconds:
                return
            self._one_fault(step)

    def _one_fault(self, step: Step) -> bool:
        """Inject a fault after its pause, and heal it; return False when it was not possible now."""
        time.sleep(step.pause_seconds)
        fault = copy.copy(step.fault)  # each has a memory of its own
        record = FaultRecord(step.number, fault.kind, fault.target, self._now())
        self._records.append(record)
        try:
            record.done = fault.inject(random.Random(step.seed))  # noqa: S311
        except Impossible as why:
            record.skipped = str(why)
            self._say(f"{record.at_seconds:6.1f} s  {fault.kind} {fault.target}: skipped: {why}")
            return False
        self._say(f"{record.at_seconds:6.1f} s  {fault.kind} {fault.target}: {record.done}")
        if fault.lasts:
            time.sleep(step.hold_seconds)
        fault.heal()
        record.healed_at_seconds = self._now()
        self._open.append(_Open(record, fault, time.monotonic()))
        return True

    def _follow(self, stop: threading.Event) -> None:
        """Note when victims are well again, and when files have caught up."""
        while not stop.wait(_LOOK_SECONDS):
            for one in list(self._open):
                record, since = one.record, time.monotonic() - one.healed_at
                if record.over_seconds is None and one.fault.is_over():
                    record.over_seconds = round(since, 1)
                if record.caught_up_seconds is None and self._caught_up(one.healed_at):
                    record.caught_up_seconds = round(since, 1)
                if record.over_seconds is not None and record.caught_up_seconds is not None:
                    self._open.remove(one)

    def _caught_up(self, until: float) -> bool:
        return not any(
            entry.safe_at is None
            for entry in self.ledger.accepted()
            if (entry.accepted_at or until) < until and not entry.sacrificed
        )

    def _settle(self, watch: Watch) -> Verdict:
        told = 0.0

        def report(missing: dict[str, list[str]]) -> None:
            nonlocal told
            if time.monotonic() - told > 10:
                told = time.monotonic()
                first = next(iter(missing.values()))[0]
                self._say(f"{self._now():6.1f} s  {sum(map(len, missing.values()))} to go, first: {first}")

        verdict = await_policy(watch, patience_seconds=self._settings.patience_seconds, report=report)
        self.findings.count("everything reaches its policy", len(self.ledger))
        self.findings.count(
            "nothing dark remains", sum(len(list(self.disks.files(s.rse))) for s in self.sites)
        )
        for invariant, subjects in verdict.shortcomings.items():
            for subject in subjects:
                self.findings.broken(invariant, subject, f"after {verdict.seconds:.0f} s without faults")
        return verdict

    def _read_all(self) -> None:
        """Retrieve everything once: after all that, each accepted file is served, and right."""
        entries = [entry for entry in self.ledger.accepted() if not entry.sacrificed]
        served = self.reader.read(entries)
        self.findings.count("everything is served in the end", len(entries))
        if served != len(entries):
            self.findings.broken(
                "everything is served in the end", "dpps data get", f"{served} of {len(entries)} files came"
            )

    def _report(self, seconds: float, verdict: Verdict) -> Report:
        for record in (one.record for one in self._open):
            if record.over_seconds is None:
                self.findings.broken(
                    "every victim gets well", f"{record.kind} {record.target} #{record.number}", record.done
                )
        entries = list(self.ledger)
        files = {
            "handed over": len(entries),
            "accepted": len(self.ledger.accepted()),
            "quarantined": sum(entry.quarantined for entry in entries),
            "handed over again with other content": sum(entry.rivalled for entry in entries),
            "with their only copy destroyed": sum(entry.sacrificed for entry in entries),
        }
        return Report(
            seed=self._settings.seed,
            seconds=round(seconds, 1),
            command=self._settings.command,
            versions={name: version(name) for name in ("dpps", "rucio-clients")}
            | {"Python": platform.python_version(), "kernel": platform.release()},
            rights=self._rights(),
            faults=self._records,
            files=files,
            reads={"served": self.reader.served, "refused with an error": self.reader.refused},
            checks=self.findings.checks,
            violations=self.findings.violations,
            settled_seconds=None if verdict.shortcomings else verdict.seconds,
            patience_seconds=self._settings.patience_seconds,
        )

    def _rights(self) -> dict[str, str]:
        names = "of its own: disks of storages are mounted, packets can be turned away"
        return {
            "namespaces": names if self._settings.mounted else "none: storages are renamed; no full disks",
            "clock": "stepped in all services" if self._steps_clock else "not stepped",
        }

    def _now(self) -> float:
        return round(time.monotonic() - self._begun, 1)
