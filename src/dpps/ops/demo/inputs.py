"""What the demo hands over: given files, or toy events made on the spot; the night is made in `night`.

Whatever the source, the files arrive in the hand-over folder the same way: data first, under a temporary
name, then the trigger link beside it. From there on there is one code path.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dpps.data.fixity import local_error
from dpps.domain.errors import InvalidInput
from dpps.ops.demo.programs import run_program

__all__ = ["DemoInput", "given_input", "hand_over", "toy_input"]

_SIMTEL = (".simtel", ".simtel.zst", ".simtel.gz")
_RAW = (".fits.fz",)
_TOY_EVENTS = 20
_TOY_SEED = 20260214


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoInput:
    """The files that the demo hands over."""

    kind: str
    """``night``, ``toy`` or ``yours``."""
    root: Path
    files: tuple[Path, ...]
    truth: Path | None = None
    """True directions of toy events, which raw data cannot carry."""

    @property
    def raw(self) -> bool:
        """Whether these are raw data streams (DL0) rather than simulation files."""
        return all(path.name.endswith(_RAW) for path in self.files)

    @property
    def size_bytes(self) -> int:
        """Size of all files."""
        return sum(path.stat().st_size for path in self.files)


def given_input(folder: Path) -> DemoInput:
    """Return the files of a folder to hand over.

    Parameters
    ----------
    folder : Path
        The folder of ``--input``.

    Raises
    ------
    InvalidInput
        When it does not exist, holds no file of a known kind, both kinds, or a file that cannot be read.
    """
    if not folder.is_dir():
        raise InvalidInput(
            f"{folder} is not a folder",
            next_step="name a folder with *.simtel.zst, *.simtel.gz or *.fits.fz files",
            path=folder,
        )
    found = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    simulated = [path for path in found if path.name.endswith(_SIMTEL)]
    raw = [path for path in found if path.name.endswith(_RAW)]
    if simulated and raw:
        raise InvalidInput(
            f"{folder} holds simulation files and raw data streams",
            next_step="hand over one kind at a time: name a sub-folder",
            path=folder,
        )
    if not simulated and not raw:
        raise InvalidInput(
            f"{folder} holds no file of a known kind",
            next_step="put *.simtel.zst, *.simtel.gz or *.fits.fz files there",
            path=folder,
        )
    for path in simulated or raw:
        if not os.access(path, os.R_OK):
            raise InvalidInput(
                f"{path} cannot be read: permission denied",
                code="file-unreadable",
                next_step=f"run: chmod u+r {path}   (or take it out of the folder)",
                path=path,
            )
    truth = folder / "truth" / "truth.ecsv"
    return DemoInput(
        kind="yours", root=folder, files=tuple(simulated or raw), truth=truth if truth.is_file() else None
    )


def toy_input(scratch: Path) -> DemoInput:
    """Make toy events and return them to hand over.

    Parameters
    ----------
    scratch : Path
        Where they are made.

    Raises
    ------
    DppsError
        When the pipelines are not installed, or the program fails.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    printed = run_program(
        "dpps-simpipe-toy",
        *("--output", scratch, "--events", str(_TOY_EVENTS), "--seed", str(_TOY_SEED), "--json"),
        what="making toy events",
    )
    report = json.loads(printed)
    files = tuple(sorted(Path(path) for path in report["files"]))
    return DemoInput(kind="toy", root=scratch, files=files, truth=Path(report["truth"]))


def hand_over(chosen: DemoInput, folder: Path, tell: Callable[[int, str], None]) -> list[Path]:
    """Put the files into the hand-over folder as the telescopes' software does; return their new paths.

    Simulation files go below ``sim/ctao-north``; raw data keep their path, which is their name for ever.
    A file that is there already with the same size is not copied again.

    Raises
    ------
    DppsError
        When a file cannot be read or written, naming it.
    """
    delivered = []
    for number, source in enumerate(chosen.files, start=1):
        relative = source.relative_to(chosen.root) if chosen.raw else Path("sim", "ctao-north", source.name)
        try:
            delivered.append(_deliver(source, folder / relative))
        except OSError as failure:
            raise local_error(failure, source) from failure
        tell(number, source.name)
    return delivered


def _deliver(source: Path, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists() or target.stat().st_size != source.stat().st_size:
        temporary = target.with_name(f".{target.name}.part")
        shutil.copyfile(source, temporary)
        temporary.replace(target)
    trigger = target.with_name(target.name + ".trigger")
    if not trigger.is_symlink():
        trigger.symlink_to(target.name)
    return target
