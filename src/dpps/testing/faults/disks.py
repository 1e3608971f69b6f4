"""The disks under the storages: where rights allow small file systems of their own, else plain folders.

With mounts a storage can go away as a real one does: its mount point is there, empty, and can be written to.
The files themselves stay visible here, on the disk, whatever the system sees.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Disks", "may_mount"]

_MARK = ".storage-mark"
"""The one file of a storage that is no copy: it tells the storage from an empty mount point."""
_LAST_BYTES = 64 << 10
"""Room that is left on a full disk: it fills while it is being shrunk."""


def may_mount() -> bool:
    """Tell whether this process lives in a mount namespace that the bed made for itself."""
    return os.environ.get("DPPS_FAULT_NAMESPACE") == "1"


@dataclass(frozen=True, slots=True)
class Disks:
    """One disk a storage, and one for the system itself.

    Parameters
    ----------
    folder : Path
        Where the disks are.
    state : Path
        The state folder of the system.
    mounted : bool
        Whether disks are file systems; else storages are folders, and a storage goes away by a rename.
    storage_bytes, system_bytes : int
        Sizes of these file systems.
    """

    folder: Path
    state: Path
    mounted: bool
    storage_bytes: int = 200 << 20
    system_bytes: int = 2 << 30

    def prepare(self, rses: list[str]) -> None:
        """Make all disks, empty, before the system starts for the first time."""
        self.state.mkdir(parents=True, exist_ok=True)
        self.state.chmod(0o755)
        if self.mounted:
            _run(
                "mount",
                "-t",
                "tmpfs",
                "-o",
                f"size={self.system_bytes},mode=755",
                "dpps-system",
                str(self.state),
            )
        # A state folder is empty, or it has a configuration.
        (self.state / "config").mkdir(exist_ok=True)
        for rse in rses:
            disk = self.folder / rse
            disk.mkdir(parents=True)
            if self.mounted:
                options = f"size={self.storage_bytes},mode=755"
                _run("mount", "-t", "tmpfs", "-o", options, f"dpps-{rse}", str(disk))
            self.point(rse).mkdir(parents=True)
            self.content(rse).mkdir(exist_ok=True)
            self.attach(rse)

    def content(self, rse: str) -> Path:
        """Return the files of a storage as its disk holds them, attached or not."""
        return self.folder / rse / "content" if self.mounted else self._present(rse)

    def point(self, rse: str) -> Path:
        """Return where the system sees the storage."""
        return self.state / "storage" / rse

    def attach(self, rse: str) -> None:
        """Bring a storage back."""
        if self.mounted:
            _run("mount", "--bind", str(self.content(rse)), str(self.point(rse)))
        elif self._away(rse).exists():
            self._away(rse).rename(self.point(rse))

    def detach(self, rse: str) -> None:
        """Take a storage away from the system; files that are open stay so, as with a disk that drops out."""
        if self.mounted:
            _run("umount", "--lazy", str(self.point(rse)))
        else:
            self.point(rse).rename(self._away(rse))

    def take_written_beside(self, rse: str, aside: Path) -> list[str]:
        """Move away what was written at the place of a storage while it was not there; return the names.

        Only the mount point itself is left, so that the storage can come back.
        """
        if not self.point(rse).exists():
            return []
        found = [str(path.relative_to(self.point(rse))) for path in _files(self.point(rse))]
        for entry in list(self.point(rse).iterdir()):
            target = aside / rse / f"{len(list(aside.glob('*/*')))}-{entry.name}"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(entry, target)
        if not self.mounted:
            self.point(rse).rmdir()
        return found

    def fill(self, rse: str | None) -> int:
        """Leave a storage's disk, or the system's own, next to no room; return how many bytes it holds."""
        disk = self._disk(rse)
        status = os.statvfs(disk)
        used = (status.f_blocks - status.f_bfree) * status.f_frsize
        # Shrinking is done at once, where writing a filler takes as long as the disk is large.
        _run("mount", "-o", f"remount,size={used + _LAST_BYTES}", str(disk))
        return used

    def make_room(self, rse: str | None) -> None:
        """Give back what `fill` took."""
        size_bytes = self.system_bytes if rse is None else self.storage_bytes
        _run("mount", "-o", f"remount,size={size_bytes}", str(self._disk(rse)))

    def files(self, rse: str) -> Iterator[str]:
        """Yield the paths of all files on a storage's disk, as logical file names."""
        top = self.content(rse)
        for path in _files(top):
            if path != top / _MARK:
                yield f"/{path.relative_to(top).as_posix()}"

    def _disk(self, rse: str | None) -> Path:
        return self.state if rse is None else self.folder / rse

    def _away(self, rse: str) -> Path:
        return self.folder / rse / "away"

    def _present(self, rse: str) -> Path:
        return self._away(rse) if self._away(rse).exists() else self.point(rse)


def _files(top: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(top):
        for name in names:
            yield Path(folder, name)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
