"""The simulated night: observed on the spot, with its notes and its truth beside the raw data."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dpps.composition.archive import open_archive
from dpps.composition.state import StateFolder
from dpps.data.storing import FileToStore
from dpps.ops.demo.inputs import DemoInput
from dpps.ops.demo.processing import workflows_folder
from dpps.ops.demo.programs import watch_program

__all__ = ["NIGHT_FOLDER", "Night", "observe_night", "store_notes"]

NIGHT_FOLDER = "crab_night"
"""Folder of the night's description and production below ``productions``."""
_PROGRESS = re.compile(r"dpps-simpipe observe: (?P<what>.+)")
_NOTES = {
    "data__level": "SciOps",
    "data__division": "Service",
    "data__association": "Subarray",
    "data__type": "Observation",
    "model__name": "dpps-observation-notes",
    "model__version": "1",
    "curation__release": "SimPipe/crab-night",
    "instance__site_id": "CTAO-North",
    "instance__facility_name": "Simulated-CTAO",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """What the demo knows of the night beside its raw data."""

    description: Path
    """What was observed, with the injected spectrum (YAML)."""
    notes: dict[int, Path]
    """By observation block: what the raw data do not say (YAML)."""
    truth: dict[int, Path]
    """By observation block: what was thrown (ECSV)."""
    limits: tuple[str, ...]
    """What the simulation leaves out, in its own words."""

    def truth_of(self, name: str) -> Path | None:
        """Return the truth of the observation block that a raw file's name tells."""
        return next((path for block, path in self.truth.items() if f"OBSID{block:019d}" in name), None)


def observe_night(scratch: Path, tell: Callable[[str], None]) -> tuple[DemoInput, Night]:
    """Simulate the night into a folder.

    Parameters
    ----------
    scratch : Path
        Where it goes.
    tell : callable
        Gets lines of progress.

    Raises
    ------
    DppsError
        When the simulation fails, or the pipelines are not installed.
    """
    description = workflows_folder() / "productions" / NIGHT_FOLDER / "night.yaml"

    def told(line: str) -> None:
        found = _PROGRESS.fullmatch(line)
        if found:
            tell(found["what"])

    printed = watch_program(
        "dpps-simpipe",
        *("observe", description, "--output", scratch, "--workers", str(os.cpu_count() or 1), "--json"),
        what="simulating the night",
        tell=told,
    )
    blocks = json.loads(printed)["blocks"]
    files = tuple(sorted(_inside(scratch, path) for block in blocks for path in block["files"]))
    night = Night(
        description=description,
        notes={int(block["obs_id"]): _inside(scratch, block["notes"]) for block in blocks},
        truth={int(block["obs_id"]): _inside(scratch, block["truth"]) for block in blocks},
        limits=tuple(dict.fromkeys(cut for block in blocks for cut in block["cuts"])),
    )
    return DemoInput(kind="night", root=scratch, files=files), night


def _inside(folder: Path, path: str) -> Path:
    return folder / path


def store_notes(folder: StateFolder, night: Night) -> int:
    """Bring the notes of the observation blocks into the archive; return how many there are.

    Raises
    ------
    DppsError
        When one is refused.
    """
    wanted = [
        FileToStore(path=path, metadata={**_NOTES, "instance__obs_id": block})
        for block, path in sorted(night.notes.items())
    ]
    for result in open_archive(folder.root).put(wanted):
        if result.error is not None:
            raise result.error
    return len(wanted)
