"""A clock for the services that can be set while they run, without touching the machine's."""

from __future__ import annotations

import shutil
import struct
import subprocess
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

__all__ = ["SteppedClock"]


@dataclass(frozen=True, slots=True)
class SteppedClock:
    """A library that is preloaded into the services, and the file that it reads.

    Times of files stay those of the kernel.

    Parameters
    ----------
    folder : Path
        Where both are made; all users of the services must be able to read it.
    """

    folder: Path

    @property
    def is_possible(self) -> bool:
        """Whether this machine has a C compiler to make the library with."""
        return shutil.which("cc") is not None

    def environment(self) -> dict[str, str]:
        """Make library and file; return the variables that make a program use them."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._file.write_bytes(bytes(8))
        library = self.folder / "stepped_clock.so"
        source = self.folder / "stepped_clock.c"
        source.write_text((files("dpps.testing.faults") / "stepped_clock.c").read_text())
        subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", library, source], check=True)
        return {"LD_PRELOAD": str(library), "DPPS_FAULT_CLOCK": str(self._file)}

    def set(self, seconds: int) -> None:
        """Let the services be so many seconds ahead of the machine."""
        with self._file.open("r+b", buffering=0) as stream:
            stream.write(struct.pack("q", seconds))

    @property
    def _file(self) -> Path:
        return self.folder / "step"
