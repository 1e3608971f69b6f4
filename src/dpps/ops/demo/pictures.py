"""Pictures of the processed events, drawn by the pipelines' own program."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dpps.ops.demo.programs import run_program
from dpps.ops.demo.record import Picture

__all__ = ["EventFiles", "draw", "summarize"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFiles:
    """The local copies of one chain: camera images and reconstructed showers."""

    name: str
    images: Path
    showers: Path


def draw(files: EventFiles, truth: Path | None, folder: Path) -> tuple[list[Picture], dict[str, object]]:
    """Draw pictures of one chain and return them with the summary of its events.

    Raises
    ------
    Unavailable
        When the pipelines are not installed.
    DppsError
        When drawing fails.
    """
    known: tuple[str | Path, ...] = () if truth is None else ("--truth", truth)
    run_program(
        "dpps-datapipe-pictures",
        *("--dl1", files.images, "--dl2", files.showers, "--output", folder, *known),
        what=f"drawing {files.name}",
    )
    summary: dict[str, object] = json.loads((folder / "summary.json").read_text())
    return list(_pictures(files.name, summary, folder)), summary


def _pictures(name: str, summary: dict[str, object], folder: Path) -> Iterable[Picture]:
    captions = {
        "camera_images.png": "Camera images of one event, with their ellipses.",
        "directions.png": "Reconstructed against true direction.",
    }
    label = str(summary["label"])
    for picture, caption in captions.items():
        path = folder / picture
        if path.is_file():
            yield Picture(title=name, caption=f"{caption} ({label})", png=path.read_bytes())


def summarize(summaries: Sequence[dict[str, object]]) -> dict[str, object]:
    """Add the summaries of several chains up: events, reconstructed ones, median distance in degrees."""
    offsets = [offset for summary in summaries for offset in _offsets(summary)]
    return {
        "events": sum(int(str(summary["events"])) for summary in summaries),
        "reconstructed": sum(int(str(summary["reconstructed_events"])) for summary in summaries),
        "offset_deg_median": statistics.median(offsets) if offsets else None,
        "statements": [summary["statement"] for summary in summaries],
    }


def _offsets(summary: dict[str, object]) -> list[float]:
    events = summary["directions"]
    if not isinstance(events, list):
        return []
    return [float(event["offset_deg"]) for event in events if event["offset_deg"] is not None]
