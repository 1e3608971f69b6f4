"""The judge of the fault bed: it must see what is wrong, and must not see what is not."""

from __future__ import annotations

import json
import random
import shutil
import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pytest

from dpps.testing.faults import bed, fault
from dpps.testing.faults.disks import Disks
from dpps.testing.faults.fault import Impossible, plan
from dpps.testing.faults.feeding import Sender, flip_byte, trigger_of
from dpps.testing.faults.file_faults import AtRest, DamagedAtSource, Duplicate
from dpps.testing.faults.judging import shortcomings
from dpps.testing.faults.ledger import Entry, Expectation, Ledger
from dpps.testing.faults.report import FaultRecord, Report
from dpps.testing.faults.storage_faults import DiskFull, StorageAway
from dpps.testing.faults.watching import Findings, Site, Violation, Watch

SITES = [Site("CTAO-NORTH", True), Site("CSCS", False), Site("PIC", False)]
NO_COPY = "no accepted file is without a good copy"


def dice() -> random.Random:
    return random.Random(1)  # noqa: S311 - to be repeatable is its purpose


class Scene:
    """Folders as a system would have them; the test plays the system."""

    def __init__(self, folder: Path) -> None:
        self.ledger = Ledger()
        self.findings = Findings(time.monotonic())
        self.disks = Disks(folder / "disks", folder / "state", mounted=False)
        self.disks.prepare([site.rse for site in SITES])
        self.handover = folder / "state" / "handover"
        self.sender = Sender(
            self.handover, folder / "originals" / "handed", self.ledger, dice(), files_per_second=1
        )
        self.watch = Watch(self.disks, SITES, self.handover, self.ledger, self.findings)

    def hand_over(self, expectation: Expectation = Expectation.PRESERVED) -> Entry:
        entry = self.sender.make(expectation, rows=10)
        self.sender.place(entry)
        self.sender.announce(entry)
        return entry

    def archive(self, entry: Entry, *rses: str) -> None:
        for rse in rses:
            target = self.copy(entry, rse)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self.sender.original(entry), target)
        trigger_of(self.sender.handed(entry)).unlink(missing_ok=True)

    def copy(self, entry: Entry, rse: str) -> Path:
        return self.disks.content(rse) / entry.relative

    def quarantine(self, entry: Entry) -> None:
        handed = self.sender.handed(entry)
        target = next(iter(self.watch.quarantine_places(entry)))
        target.parent.mkdir(parents=True)
        handed.rename(target)
        trigger_of(handed).unlink()

    def broken(self) -> set[str]:
        self.watch.sweep()
        return {one.invariant for one in self.findings.violations}


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_a_file_with_two_good_copies_off_site_is_at_its_end(scene: Scene) -> None:
    entry = scene.hand_over()
    scene.watch.sweep()
    assert entry.accepted_at is None
    assert "its trigger is left" in shortcomings(scene.watch)["everything reaches its policy"][0]

    scene.archive(entry, "CTAO-NORTH")
    assert scene.broken() == set()
    assert entry.accepted_at is not None
    assert entry.safe_at is None

    scene.archive(entry, "CSCS", "PIC")
    scene.watch.sweep()
    assert entry.safe_at is not None
    assert "on-site copy is left" in shortcomings(scene.watch)["everything reaches its policy"][0]

    scene.copy(entry, "CTAO-NORTH").unlink()
    assert scene.broken() == set()
    assert shortcomings(scene.watch) == {}


def test_an_accepted_file_without_copy_is_seen(scene: Scene) -> None:
    scene.archive(scene.hand_over())
    assert scene.broken() == {NO_COPY}


def test_a_damaged_copy_is_no_copy_and_may_not_spread(scene: Scene) -> None:
    entry = scene.hand_over()
    scene.archive(entry, "CTAO-NORTH")
    scene.watch.sweep()
    flip_byte(scene.copy(entry, "CTAO-NORTH"), 100, silently=True)
    assert scene.broken() == {NO_COPY, "no damage spreads"}


def test_a_storage_that_is_away_still_holds_its_copies(scene: Scene, tmp_path: Path) -> None:
    entry = scene.hand_over()
    scene.archive(entry, "CSCS", "PIC")
    fault = StorageAway(scene.disks, "CSCS", scene.findings, tmp_path / "aside")
    fault.inject(dice())
    assert not scene.disks.point("CSCS").exists()
    assert scene.broken() == set()
    assert len(entry.good_at) == 2

    scene.disks.point("CSCS").mkdir()
    (scene.disks.point("CSCS") / "written").write_bytes(b"lost as soon as the disk is back")
    fault.heal()
    assert scene.broken() == {"nothing is written beside a storage"}
    assert scene.copy(entry, "CSCS").exists()
    assert shortcomings(scene.watch) == {}


def test_what_belongs_to_nobody_is_dark(scene: Scene) -> None:
    (scene.disks.content("PIC") / ".dpps-left").write_bytes(b"half a copy")
    assert shortcomings(scene.watch)["nothing dark remains"] == ["PIC/.dpps-left: it belongs to nobody"]


def test_damaged_files_belong_into_quarantine(scene: Scene) -> None:
    fault = DamagedAtSource(scene.sender, "flipped")
    fault.inject(dice())
    (entry,) = scene.ledger
    assert not fault.is_over()
    scene.quarantine(entry)
    assert scene.broken() == set()
    assert fault.is_over()
    assert shortcomings(scene.watch) == {}


def test_a_damaged_file_that_is_accepted_is_seen(scene: Scene) -> None:
    fault = DamagedAtSource(scene.sender, "truncated")
    fault.inject(dice())
    (entry,) = scene.ledger
    scene.archive(entry, "CTAO-NORTH")
    assert "damaged files are never archived" in scene.broken()


def test_other_content_under_a_name_keeps_its_trigger_and_changes_no_copy(scene: Scene) -> None:
    entry = scene.hand_over()
    scene.archive(entry, "CSCS", "PIC")
    scene.watch.sweep()
    Duplicate(scene.sender, scene.ledger, "other content").inject(dice())
    assert trigger_of(scene.sender.handed(entry)).is_symlink()
    assert shortcomings(scene.watch) == {}

    shutil.copyfile(scene.sender.handed(entry), scene.copy(entry, "PIC"))
    assert scene.broken() == {"no damage spreads"}


@pytest.mark.parametrize("target", ["flipped", "truncated", "lost"])
def test_damage_at_rest_leaves_a_good_copy_and_is_over_when_mended(scene: Scene, target: str) -> None:
    entry = scene.hand_over()
    fault = AtRest(scene.disks, SITES, scene.ledger, target)
    with pytest.raises(Impossible):
        fault.inject(dice())
    scene.archive(entry, "CSCS", "PIC")
    scene.watch.sweep()
    fault.inject(dice())
    assert scene.broken() == set()
    assert len(entry.good_at) == 1
    assert not fault.is_over()
    assert shortcomings(scene.watch) != {}

    scene.archive(entry, "CSCS", "PIC")
    assert scene.broken() == set()
    assert fault.is_over()


def test_disks_of_others_are_not_filled(scene: Scene) -> None:
    with pytest.raises(Impossible, match="no right"):
        DiskFull(scene.disks, "PIC", "PIC").inject(dice())


def test_a_plan_has_each_fault_once_and_follows_from_its_seed(scene: Scene) -> None:
    faults = [DamagedAtSource(scene.sender, str(number)) for number in range(5)]
    first, again = (list(islice(plan(faults, seed=7), 12)) for _ in range(2))
    assert first == again
    assert {step.fault.target for step in first[:5]} == {fault.target for fault in faults}
    assert first != list(islice(plan(faults, seed=8), 12))


def test_a_report_tells_what_broke(tmp_path: Path) -> None:
    done = FaultRecord(1, "killed", "ingest", 3.0, done="process 7", over_seconds=1.5, caught_up_seconds=2.0)
    skipped = FaultRecord(2, "disk full", "PIC", 4.0, skipped="no right")
    violation = Violation(invariant=NO_COPY, subject="/a/file", detail="no disk", at_seconds=5.0)
    report = Report(
        seed=7,
        seconds=10.0,
        command="scripts/fault-run --seed 7",
        versions={"dpps": "1"},
        rights={},
        faults=[done, skipped],
        checks={NO_COPY: 3, "nothing wrong is served": 2},
        violations=[violation],
    )
    machine, people = report.write(tmp_path)
    told = json.loads(machine.read_text())
    assert (told["good"], told["seed"], told["faults"][0]["over_seconds"]) == (False, 7, 1.5)
    text = people.read_text()
    assert f"| {NO_COPY} | 3 | 1 |" in text
    assert "| killed | ingest | 1 | 0 | 1.5 | 2.0 |" in text
    assert "skipped: no right" in text
    assert "never" in text
    report.violations.clear()
    assert report.good


@dataclass
class Later:
    """A fault that has nothing to hurt when it is tried first; copies of it share their memory."""

    target: str
    possible_after: int
    tried: list[int]
    kind: str = "late"
    lasts: bool = False

    def inject(self, dice: random.Random) -> str:
        self.tried.append(dice.randrange(100))
        if len(self.tried) <= self.possible_after:
            raise Impossible("nothing is there yet")
        return "done"

    def heal(self) -> None:
        return

    def is_over(self) -> bool:
        return True


def test_a_fault_that_was_not_possible_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = [Later(f"after {tries}", tries, []) for tries in (0, 1, 2, 9)]
    monkeypatch.setattr(bed, "few_faults", lambda _bed: faults)
    monkeypatch.setattr(fault, "_PAUSE_SECONDS", (0.0, 0.0))
    settings = bed.Settings(folder=tmp_path, seed=1, seconds=0, few=True, mounted=False)
    made = bed.Bed(settings, lambda _line: None)
    made._hurt()
    assert [len(one.tried) for one in faults] == [1, 2, 3, 3]
    injected = [one.target for one in made._records if not one.skipped]
    assert sorted(injected) == ["after 0", "after 1", "after 2"]
