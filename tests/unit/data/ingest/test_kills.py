"""A pass that is killed after any call to the outside world leaves work that the next one finishes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dpps.adapters.memory.catalogue import MemoryCatalogue
from dpps.adapters.memory.storage import MemoryStorage
from dpps.data.handover import trigger_of
from dpps.data.ingest.values import IngestOutcome
from dpps.data.query import EVERYTHING
from dpps.testing.handed_files import announce, make_raw_stream, make_simtel
from tests.unit.data.conftest import Archive

RAW = "ctao/acada/DL0/LSTN-01/ctao-north/event/2026/02/14/TEL001_SDH0001_20260214T213000_CHUNK{:03d}.fits.fz"
BAD = RAW.format(9)


class KilledError(BaseException):
    """The process is dead: nothing may catch it."""


class Doomed:
    """Passes calls on to a port and dies after the n-th of all."""

    def __init__(self, port: object, count: Callable[[], None]) -> None:
        self._port = port
        self._count = count

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)

        def call(*arguments: Any, **options: Any) -> Any:
            answer = method(*arguments, **options)
            self._count()
            return answer

        return call


class Countdown:
    def __init__(self, calls: int) -> None:
        self.left = calls

    def __call__(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise KilledError


def hand_over(root: Path) -> None:
    for chunk in (1, 2):
        announce(make_raw_stream(root / RAW.format(chunk)))
    announce(make_simtel(root / "run1.simtel", run=1))
    announce(make_simtel(root / "ctao-south/run2.simtel", run=2))
    bad = make_raw_stream(root / BAD)
    bad.write_bytes(bad.read_bytes()[:-2880])
    announce(bad)


def end_state(archive: Archive) -> tuple[object, ...]:
    names = archive.catalogue.find(EVERYTHING)
    files = archive.catalogue.files(names)
    datasets = sorted({name.parent for name in names})
    return (
        files,
        {one: archive.catalogue.members(one) for one in datasets},
        {
            one: sorted((rule.copies, rule.expression) for rule in archive.catalogue.rules(one))
            for one in datasets
        },
        archive.storage.files,
        sorted(str(path.relative_to(archive.handover)) for path in archive.handover.rglob("*.*")),
    )


def passes(archive: Archive, countdown: Countdown | None) -> list[IngestOutcome]:
    catalogue, storage = archive.catalogue, archive.storage
    if countdown is not None:
        archive.catalogue = Doomed(catalogue, countdown)  # type: ignore[assignment]
        archive.storage = Doomed(storage, countdown)  # type: ignore[assignment]
    try:
        return [one.outcome for one in archive.ingest(remove_handed_over=True)]
    finally:
        archive.catalogue, archive.storage = catalogue, storage


@pytest.fixture
def originals(tmp_path: Path) -> Path:
    """The files as they were written: their checksum cards say when."""
    hand_over(tmp_path / "originals")
    return tmp_path / "originals"


@pytest.fixture
def undisturbed(archive: Archive, originals: Path) -> tuple[object, ...]:
    shutil.copytree(originals, archive.handover, symlinks=True, dirs_exist_ok=True)
    outcomes = passes(archive, None)
    assert sorted(outcomes) == ["ingested"] * 4 + ["quarantined"]
    return end_state(archive)


def test_killed_after_any_call_the_next_pass_reaches_the_same_end(
    archive: Archive, undisturbed: tuple[object, ...], originals: Path, tmp_path: Path
) -> None:
    assert not trigger_of(archive.handover / BAD).is_symlink()
    elements = archive.catalogue.storage_elements()
    for calls in range(1, 100):
        archive.catalogue, archive.storage = MemoryCatalogue(elements), MemoryStorage()
        archive.handover = tmp_path / f"again-{calls}"
        shutil.copytree(originals, archive.handover, symlinks=True)
        try:
            passes(archive, Countdown(calls))
        except KilledError:
            assert IngestOutcome.REFUSED not in passes(archive, None), f"after call {calls}"
            assert end_state(archive) == undisturbed, f"after call {calls}"
            assert passes(archive, None) == []
        else:
            break
    assert calls > 20
