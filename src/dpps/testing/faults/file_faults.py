"""Faults of single files: flipped bytes, truncations, losses, duplicates."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dpps.testing.faults.disks import Disks
from dpps.testing.faults.fault import Impossible
from dpps.testing.faults.feeding import Sender, flip_byte, trigger_of
from dpps.testing.faults.ledger import Entry, Expectation, Ledger
from dpps.testing.faults.subject import RATHER_DEAD, Subject
from dpps.testing.faults.watching import Site

__all__ = ["AtRest", "DamagedAtSource", "Duplicate", "InFlight", "OnSiteBeforeCopies"]

_LARGER_THAN_SMALL_BYTES = 1 << 20
"""No other file of the bed has so many bytes: what is larger, and not complete, is the copy in flight."""
_LARGE_ROWS = 6_000_000
_LOOKS_SECONDS = 40.0
_TEMPORARY = ".dpps-"


@dataclass(slots=True)
class DamagedAtSource:
    """A file of the sender is damaged: before its trigger, right after it, or half of it is missing."""

    sender: Sender
    target: str
    kind: str = "source damaged"
    lasts: bool = False
    _entry: Entry | None = None

    def inject(self, dice: random.Random) -> str:
        """Hand over a damaged file."""
        late = self.target in ("flipped after trigger", "flipped silently after trigger")
        entry = self._entry = self.sender.make(Expectation.EITHER if late else Expectation.QUARANTINED)
        path = self.sender.place(entry)
        offset = dice.randrange(entry.size_bytes)
        if late:
            self.sender.announce(entry)
            flip_byte(path, offset, silently=self.target == "flipped silently after trigger")
        elif self.target == "truncated":
            os.truncate(path, offset)
            self.sender.announce(entry)
        else:
            flip_byte(path, offset)
            self.sender.announce(entry)
        return f"{entry.lfn} at byte {offset}"

    def heal(self) -> None:
        """Nothing: the sender knows of no damage."""

    def is_over(self) -> bool:
        """Tell whether the file is in quarantine, or safe as it was before."""
        entry = self._entry
        return entry is None or entry.quarantined or entry.safe_at is not None


@dataclass(slots=True)
class Duplicate:
    """A name that the archive has is handed over again: with the same content, or with other content."""

    sender: Sender
    ledger: Ledger
    target: str
    kind: str = "duplicate"
    lasts: bool = False
    _trigger: Path | None = None

    def inject(self, dice: random.Random) -> str:
        """Hand over again."""
        known = [entry for entry in self.ledger.accepted() if not (entry.rivalled or entry.sacrificed)]
        if not known:
            raise Impossible("nothing is accepted yet")
        entry = dice.choice(known)
        if self.target == "same content":
            self.sender.hand_over_again(entry)
            self._trigger = trigger_of(self.sender.handed(entry))
        else:
            entry.rivalled = True
            self.sender.hand_over_rival(entry)
        return entry.lfn

    def heal(self) -> None:
        """Nothing."""

    def is_over(self) -> bool:
        """Tell whether the system has answered: for other content, that nothing changed is seen elsewhere."""
        return self._trigger is None or not self._trigger.is_symlink()


@dataclass(slots=True)
class AtRest:
    """A copy that the archive believes good changes on its disk: a bit, its length, or it is gone."""

    disks: Disks
    sites: list[Site]
    ledger: Ledger
    target: str
    kind: str = "copy at rest"
    lasts: bool = False
    _entry: Entry | None = None

    def inject(self, dice: random.Random) -> str:
        """Damage one off-site copy of a file that has another good one."""
        offsite = {site.rse for site in self.sites if not site.onsite}
        with self.ledger.lock:
            candidates = [
                entry
                for entry in self.ledger.accepted()
                if entry.safe_at
                and not entry.hurt
                and not entry.sacrificed
                and len(entry.good_at & offsite) > 1
            ]
            if not candidates:
                raise Impossible("no file has two good off-site copies yet")
            entry = self._entry = dice.choice(candidates)
            rse = dice.choice(sorted(entry.good_at & offsite))
            entry.hurt[rse] = f"{self.kind} {self.target}"
            path = self.disks.content(rse) / entry.relative
            offset = dice.randrange(entry.size_bytes)
            self._damage(path, offset)
        return f"{rse}{entry.lfn} at byte {offset}"

    def _damage(self, path: Path, offset: int) -> None:
        if self.target == "flipped":
            flip_byte(path, offset, silently=True)
        elif self.target == "truncated":
            os.truncate(path, offset)
        else:
            path.unlink()

    def heal(self) -> None:
        """Nothing: the audit must find it."""

    def is_over(self) -> bool:
        """Tell whether the file has two good off-site copies again."""
        offsite = {site.rse for site in self.sites if not site.onsite}
        return self._entry is None or (not self._entry.hurt and len(self._entry.good_at & offsite) > 1)


@dataclass(slots=True)
class OnSiteBeforeCopies:
    """The on-site copy is damaged before anything was copied from it: the archive's only copy.

    No archive can mend that alone. It must notice, must neither spread nor serve the damage, and must take
    the original when the sender hands it over again.
    """

    disks: Disks
    sender: Sender
    subject: Subject
    sites: list[Site]
    target: str = "only copy"
    kind: str = "source damaged"
    lasts: bool = True
    _entry: Entry | None = None

    def inject(self, dice: random.Random) -> str:
        """Hold the mover still, hand over, damage the on-site copy, let the mover go."""
        mover = self.subject.process("transfers")
        if mover is None:
            raise Impossible("transfers does not run now")
        entry = self._entry = self.sender.make(Expectation.PRESERVED)
        entry.sacrificed = True
        try:
            mover.send_signal(signal.SIGSTOP)
            self.sender.place(entry)
            self.sender.announce(entry)
            return self._damage(entry, dice)
        finally:
            mover.send_signal(signal.SIGCONT)

    def _damage(self, entry: Entry, dice: random.Random) -> str:
        onsite = [site.rse for site in self.sites if site.onsite]
        deadline = time.monotonic() + _LOOKS_SECONDS
        while time.monotonic() < deadline:
            for rse in onsite:
                path = self.disks.content(rse) / entry.relative
                if path.exists() and entry.accepted_at is not None:
                    entry.hurt[rse] = self.kind
                    flip_byte(path, dice.randrange(entry.size_bytes), silently=True)
                    return f"{rse}{entry.lfn}"
            time.sleep(0.02)
        entry.sacrificed = False
        raise Impossible("the file was not accepted in time")

    def heal(self) -> None:
        """Hand the original over again: the sender was told, or looked."""
        if self._entry is not None and self._entry.sacrificed:
            self.sender.hand_over_again(self._entry)

    def is_over(self) -> bool:
        """Tell whether the file is safe after all."""
        return self._entry is None or self._entry.safe_at is not None


@dataclass(slots=True)
class InFlight:
    """A byte changes in the copy that is being written, under its temporary name."""

    disks: Disks
    sender: Sender
    subject: Subject
    sites: list[Site]
    target: str
    """The service that writes: ``transfers`` (off site) or ``ingest`` (on site)."""
    kind: str = "flipped in flight"
    lasts: bool = False
    _entry: Entry | None = None

    def inject(self, dice: random.Random) -> str:
        """Hand over a large file, and change a byte of a copy of it before the copy is complete."""
        entry = self._entry = self.sender.make(Expectation.PRESERVED, _LARGE_ROWS)
        self.sender.place(entry)
        self.sender.announce(entry)
        folders = list(self._folders(entry))
        return self._catch(lambda: self._first(folders), entry, dice)

    def _folders(self, entry: Entry) -> Iterator[Path]:
        for site in self.sites:
            content = self.disks.content(site.rse)
            if self.target == "transfers" and not site.onsite:
                yield (content / entry.relative).parent
            elif self.target == "ingest" and site.onsite:
                yield content / "ctao" / "tmp" / "ingest"

    @staticmethod
    def _first(folders: list[Path]) -> Path | None:
        for folder in folders:
            try:
                names = os.listdir(folder)  # noqa: PTH208 - called every millisecond
            except OSError:
                continue
            for name in names:
                if name.startswith(_TEMPORARY):
                    return folder / name
        return None

    def _catch(self, look: Callable[[], Path | None], entry: Entry, dice: random.Random) -> str:
        deadline = time.monotonic() + _LOOKS_SECONDS
        while time.monotonic() < deadline:
            found = look()
            writer = self.subject.process(self.target) if found is not None else None
            if found is None or writer is None:
                time.sleep(0.001)
                continue
            try:
                writer.send_signal(signal.SIGSTOP)
                if (size := self._flip(found, entry, dice)) is not None:
                    return f"{found} of {entry.lfn}, {size} bytes were written"
            except RATHER_DEAD:
                continue
            finally:
                writer.send_signal(signal.SIGCONT)
        raise Impossible("no copy was caught in flight")

    @staticmethod
    def _flip(found: Path, entry: Entry, dice: random.Random) -> int | None:
        """Change a byte of what was written so far; None when this is no part of the large file."""
        try:
            size = found.stat().st_size
            if not _LARGER_THAN_SMALL_BYTES <= size < entry.size_bytes:
                return None
            flip_byte(found, dice.randrange(size))
        except OSError:
            return None
        return size

    def heal(self) -> None:
        """Nothing."""

    def is_over(self) -> bool:
        """Tell whether the file is safe."""
        return self._entry is None or self._entry.safe_at is not None
