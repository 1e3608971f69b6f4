"""Faults of whole disks: gone, or full."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

from dpps.testing.faults.disks import Disks
from dpps.testing.faults.fault import Impossible
from dpps.testing.faults.watching import Findings

__all__ = ["DiskFull", "StorageAway"]


@dataclass(slots=True)
class StorageAway:
    """A storage drops out, and comes back.

    With mounts its mount point stays, empty. What the system writes there meanwhile is on no storage: it is
    hidden as soon as the storage is back. Every such file is a broken invariant.
    """

    disks: Disks
    target: str
    findings: Findings
    aside: Path
    kind: str = "storage away"
    lasts: bool = True

    def inject(self, dice: random.Random) -> str:
        """Take it away."""
        self.disks.detach(self.target)
        return "unmounted" if self.disks.mounted else "renamed"

    def heal(self) -> None:
        """Bring it back."""
        beside = self.disks.take_written_beside(self.target, self.aside)
        self.disks.attach(self.target)
        self.findings.count("nothing is written beside a storage")
        for name in beside:
            self.findings.broken(
                "nothing is written beside a storage", f"{self.target}/{name}", "written while it was away"
            )

    def is_over(self) -> bool:
        """Tell whether it is back; how the system catches up is measured for every fault alike."""
        return True


@dataclass(slots=True)
class DiskFull:
    """The disk of a storage, or of the system itself, has no byte left."""

    disks: Disks
    target: str
    rse: str | None
    kind: str = "disk full"
    lasts: bool = True

    def inject(self, dice: random.Random) -> str:
        """Take all room."""
        if not self.disks.mounted:
            raise Impossible(
                "no right to make file systems of its own: filling the machine's disk hurts others"
            )
        return f"{self.disks.fill(self.rse) / 1e6:.1f} MB are on it"

    def heal(self) -> None:
        """Give the room back."""
        self.disks.make_room(self.rse)

    def is_over(self) -> bool:
        """Tell whether there is room; how the system catches up is measured for every fault alike."""
        return True
