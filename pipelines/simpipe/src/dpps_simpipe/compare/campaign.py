"""The whole comparison as one resumable piece of work."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dpps.domain.errors import Conflict, NotFound
from dpps_simpipe.compare.corsika import compare_corsika_event, read_corsika
from dpps_simpipe.compare.ours import compare_event
from dpps_simpipe.compare.real import ARRAY, read_simtel
from dpps_simpipe.compare.report import draw, summarise, table, write_json
from dpps_simpipe.instrument import load_array
from dpps_simpipe.made_with import made_with

__all__ = ["CALIBRATION_FILES", "compare"]

#: Beginnings of the files that calibrated the instrument model; all others check it.
CALIBRATION_FILES = ("gamma_prod6", "gamma_diffuse")


def _kept(path: Path, make: Callable[[], list[dict[str, object]]]) -> list[dict[str, Any]]:
    """Make the rows of an event, or take those of an earlier try."""
    if not path.exists():
        write_json(path, make())
    rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return rows


def compare(
    simtel: Path | None,
    corsika: Path | None,
    output: Path,
    *,
    showers: int = 40,
    seed: int = 1,
    progress: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Compare all files of folders; killed at any time, the next call goes on.

    Parameters
    ----------
    simtel, corsika : Path or None
        Folders of sim_telarray files and of CORSIKA photon files.
    output : Path
        Folder of the result: ``comparison.json``, ``comparison.txt``, ``comparison.png``, ``events/``.
    showers : int
        How many of our showers stand against each event.
    seed : int
        Seed of ours.
    progress : callable or None
        Is told each event.

    Returns
    -------
    dict
        Summary, see `dpps_simpipe.compare.report.summarise`.

    Raises
    ------
    NotFound
        A folder has no files.
    Conflict
        The output belongs to another comparison.
    DamagedFile
        A file cannot be read.
    """
    events = output / "events"
    events.mkdir(parents=True, exist_ok=True)
    _claim(output, {"showers": showers, "seed": seed, **made_with(load_array(ARRAY))})
    tell = progress or (lambda _: None)
    telescope_rows: list[dict[str, Any]] = []
    for path in _files(simtel, "*simtel*"):
        file = read_simtel(path)
        for event in file.events:
            tell(event.name)
            telescope_rows += _kept(
                events / f"{event.name}.json",
                lambda file=file, event=event: [  # type: ignore[misc] # bound now, not later
                    row.as_dict() for row in compare_event(file, event, showers=showers, seed=seed)
                ],
            )
    sphere_rows: list[dict[str, Any]] = []
    for path in _files(corsika, "*"):
        atmosphere, level, photon_events = read_corsika(path)
        for photons in photon_events:
            tell(photons.name)
            sphere_rows += _kept(
                events / f"{photons.name}.json",
                lambda photons=photons, atmosphere=atmosphere, level=level: [  # type: ignore[misc] # bound now
                    row.as_dict()
                    for row in compare_corsika_event(photons, atmosphere, level, showers=showers, seed=seed)
                ],
            )
    summary = summarise(telescope_rows, sphere_rows, CALIBRATION_FILES)
    write_json(output / "comparison.json", summary)
    (output / "comparison.txt").write_text(table(summary), encoding="utf-8")
    draw(telescope_rows, sphere_rows, output / "comparison.png")
    return summary


def _files(folder: Path | None, pattern: str) -> list[Path]:
    if folder is None:
        return []
    found = sorted(path for path in folder.glob(pattern) if path.is_file())
    if not found:
        raise NotFound(
            f"{folder} has no files to compare with",
            code="simpipe.nothing-to-compare",
            next_step="Give a folder with files of sim_telarray or CORSIKA.",
            path=folder,
        )
    return found


def _claim(output: Path, settings: dict[str, object]) -> None:
    """Make sure that kept events were made with the same settings."""
    mark = output / "settings.json"
    if mark.exists() and json.loads(mark.read_text(encoding="utf-8")) != settings:
        raise Conflict(
            f"{output} holds a comparison with other settings",
            code="simpipe.other-comparison",
            next_step="Choose another output folder.",
            path=output,
        )
    write_json(mark, settings)
