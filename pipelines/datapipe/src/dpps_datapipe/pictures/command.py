"""``dpps-datapipe-pictures``: pictures and a summary of processed events."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from dpps_datapipe.pictures.events import (
    EventReport,
    PictureError,
    ReconstructedEvent,
    TelescopeImage,
    read_images,
    read_report,
    read_visibility,
)
from dpps_datapipe.pictures.plots import plot_cameras, plot_directions

__all__ = ["main", "make_pictures"]

_CAMERAS = "camera_images.png"
_DIRECTIONS = "directions.png"


def _best(
    dl1: Path, events: Sequence[ReconstructedEvent]
) -> tuple[ReconstructedEvent, list[TelescopeImage]] | None:
    """Choose a reconstructed event with most usable images, then with most light."""
    visibility = read_visibility(dl1)
    candidates = [event for event in events if (event.obs_id, event.event_id) in visibility]
    if not candidates:
        return None

    def rank(event: ReconstructedEvent) -> tuple[bool, int, float]:
        return event.reconstructed is not None, *visibility[event.obs_id, event.event_id]

    best = max(candidates, key=rank)
    return best, read_images(dl1, best.obs_id, best.event_id)


def _statement(report: EventReport) -> str:
    """Say in a sentence what came out."""
    n_events = len(report.events)
    n_reconstructed = sum(event.reconstructed is not None for event in report.events)
    if n_events == 0:
        return "The files hold no event: there is nothing to show."
    if n_reconstructed == 0:
        return (
            f"None of {n_events} events has a reconstructed direction: fewer than two "
            "usable camera images, or no pointing."
        )
    if all(event.true is None for event in report.events):
        return f"{n_reconstructed} of {n_events} events reconstructed; nothing knows the true directions."
    return f"{n_reconstructed} of {n_events} events reconstructed."


def _event_values(event: ReconstructedEvent) -> dict[str, object]:
    """Give an event in plain values."""
    return {**asdict(event), "offset_deg": event.offset_deg}


def _summary(
    report: EventReport,
    best: tuple[ReconstructedEvent, list[TelescopeImage]] | None,
    pictures: Sequence[str],
) -> dict[str, object]:
    """Give the content of ``summary.json``."""
    offsets = [event.offset_deg for event in report.events if event.offset_deg is not None]
    summary: dict[str, object] = {
        "label": report.label,
        "statement": _statement(report),
        "events": len(report.events),
        "reconstructed_events": sum(e.reconstructed is not None for e in report.events),
        "telescopes": [] if best is None else sorted(image.tel_id for image in best[1]),
        "best_event": None if best is None else _event_values(best[0]),
        "offset_deg_median": float(np.median(offsets)) if offsets else None,
        "offset_deg_68_percent": float(np.quantile(offsets, 0.68)) if offsets else None,
        "directions": [_event_values(event) for event in report.events],
        "pictures": list(pictures),
    }
    return summary


def make_pictures(dl1: Path, dl2: Path, output: Path, truth: Path | None = None) -> Path:
    """Draw what can be drawn and write ``summary.json``.

    Parameters
    ----------
    dl1, dl2 : pathlib.Path
        Camera images, and reconstructed showers of the same events.
    output : pathlib.Path
        Folder of the pictures; it is made.
    truth : pathlib.Path or None
        Truth table of toy data or of a simulated observation.

    Returns
    -------
    pathlib.Path
        The summary. Pictures that would be empty are not drawn; the summary's
        ``statement`` says why.

    Raises
    ------
    PictureError
        If a file cannot be read.
    """
    report = read_report(dl2, truth)
    best = _best(dl1, report.events)
    output.mkdir(parents=True, exist_ok=True)
    pictures = []
    if best is not None:
        plot_cameras(output / _CAMERAS, report.label, *best)
        pictures.append(_CAMERAS)
    if any(event.offset_deg is not None for event in report.events):
        plot_directions(output / _DIRECTIONS, report)
        pictures.append(_DIRECTIONS)
    path = output / "summary.json"
    path.write_text(json.dumps(_summary(report, best, pictures), indent=2) + "\n", encoding="utf-8")
    return path


def _parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        prog="dpps-datapipe-pictures",
        description=(
            "Draw the camera images of the best event and reconstructed against true "
            "directions of all events, and write summary.json."
        ),
    )
    parser.add_argument("--dl1", type=Path, required=True, help="camera images (HDF5)")
    parser.add_argument("--dl2", type=Path, required=True, help="reconstructed showers (HDF5)")
    parser.add_argument(
        "--truth", type=Path, help="truth table (ECSV) of toy data or a simulated observation"
    )
    parser.add_argument("--output", type=Path, required=True, help="folder of the pictures")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    arguments : sequence of str or None
        Command-line arguments; None: those of the process.

    Returns
    -------
    int
        0, or 1 after an error that is printed on standard error.
    """
    options = _parser().parse_args(arguments)
    try:
        summary = make_pictures(options.dl1, options.dl2, options.output, options.truth)
    except (PictureError, OSError) as error:
        sys.stderr.write(f"dpps-datapipe-pictures: {error}\n")
        return 1
    statement = json.loads(summary.read_text(encoding="utf-8"))["statement"]
    sys.stdout.write(f"{statement}\n{summary}\n")
    return 0
