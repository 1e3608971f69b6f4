"""The sender: hands files over, in the way of the acquisition system, whatever goes on elsewhere."""

from __future__ import annotations

import os
import random
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from dpps.testing.faults.ledger import Entry, Expectation, Ledger
from dpps.testing.handed_files import announce, make_raw_stream

__all__ = ["Sender", "flip_byte", "trigger_of"]

_SITES = ("ctao-north", "ctao-south")
_SMALL_ROWS = (5, 20_000)
_RETRY_SECONDS = 0.5


@dataclass(slots=True)
class Sender:
    """Makes small raw streams and hands them over at a steady rate.

    Parameters
    ----------
    handover : Path
        The hand-over folder.
    originals : Path
        Where the intact originals are kept, out of the system's reach.
    ledger : Ledger
        Where they are noted.
    random : random.Random
        Decides what the files are.
    files_per_second : float
        The rate of `run`.
    """

    handover: Path
    originals: Path
    ledger: Ledger
    random: random.Random
    files_per_second: float
    _number: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, stop: threading.Event) -> None:
        """Hand over one intact file after the other until told to stop."""
        while not stop.wait(1.0 / self.files_per_second):
            entry = self.make(Expectation.PRESERVED)
            self.place(entry)
            self.announce(entry)

    def make(self, expectation: Expectation, rows: int | None = None) -> Entry:
        """Make an original and note it; nothing is handed over yet.

        Parameters
        ----------
        expectation : Expectation
            What must become of it.
        rows : int, optional
            Rows of its table, of four bytes each; some thousand by default.
        """
        with self._lock:
            self._number += 1
            number = self._number
            site, telescope = self.random.choice(_SITES), self.random.randint(1, 4)
            events = rows or self.random.randint(*_SMALL_ROWS)
        name = f"TEL{telescope:03d}_SDH0001_20260214T213000_OBSID{number:019d}_CHUNK001.fits.fz"
        relative = f"ctao/acada/DL0/LSTN-{telescope:02d}/{site}/event/2026/02/14/{name}"
        path = make_raw_stream(self.originals / relative, obs_id=number, tel_id=telescope, events=events)
        return self.ledger.add(relative, path, expectation)

    def original(self, entry: Entry) -> Path:
        """Return the intact original of a file."""
        return self.originals / entry.relative

    def handed(self, entry: Entry) -> Path:
        """Return where a file is handed over."""
        return self.handover / entry.relative

    def place(self, entry: Entry) -> Path:
        """Write a file to its place in the hand-over folder, without trigger."""
        target = self.handed(entry)
        _persist(lambda: target.parent.mkdir(parents=True, exist_ok=True))
        _persist(lambda: shutil.copyfile(self.original(entry), target))
        return target

    def announce(self, entry: Entry) -> None:
        """Place the trigger."""
        _persist(lambda: announce(self.handed(entry)))
        entry.announced = True

    def hand_over_again(self, entry: Entry) -> None:
        """Hand the intact original over once more, as after a sender's restart."""
        self._replace(entry, self.original(entry))

    def hand_over_rival(self, entry: Entry) -> None:
        """Hand other, valid content over under the name of a file."""
        rival = self.originals.with_name("rivals") / entry.relative
        rival.unlink(missing_ok=True)
        self._replace(entry, make_raw_stream(rival, obs_id=self.random.getrandbits(31)))

    def _replace(self, entry: Entry, source: Path) -> None:
        target = self.handed(entry)
        aside = target.with_name(f".{target.name}.sender")
        _persist(lambda: shutil.copyfile(source, aside))
        aside.replace(target)
        if not trigger_of(target).is_symlink():
            self.announce(entry)


def trigger_of(handed: Path) -> Path:
    """Return where the trigger of a handed-over file is."""
    return handed.with_name(f"{handed.name}.trigger")


def flip_byte(path: Path, offset: int, *, silently: bool = False) -> None:
    """Change one bit of a file where it lies.

    Parameters
    ----------
    path : Path
        The file.
    offset : int
        Which byte, counted from the start.
    silently : bool
        Keep the time of the last change, as a failing disk does.
    """
    before = path.stat()
    with path.open("r+b", buffering=0) as stream:
        stream.seek(offset)
        byte = stream.read(1)
        stream.seek(offset)
        stream.write(bytes([byte[0] ^ 0x20]))
    if silently:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _persist(act: Callable[[], object]) -> None:
    """Do something for as long as the disk is full: a sender waits."""
    while True:
        try:
            act()
        except OSError:
            time.sleep(_RETRY_SECONDS)
        else:
            return
