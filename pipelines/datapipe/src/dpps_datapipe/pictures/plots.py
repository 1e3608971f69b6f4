"""The two figures: camera images of one event, directions of all events."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dpps_datapipe.pictures.events import (
    Direction,
    EventReport,
    ReconstructedEvent,
    TelescopeImage,
)

__all__ = ["MAX_IMAGES", "plot_cameras", "plot_directions"]

#: More cameras than this are not shown: the brightest are.
MAX_IMAGES = 8

_COLUMNS = 4
_DOTS_PER_INCH = 130
_TRUE_COLOUR = "#e4572e"
_RECONSTRUCTED_COLOUR = "#2e86ab"
#: Part of the events that axes of residuals reach.
_SHOWN_SHARE = 0.95
_LEAST_REACH_DEG = 0.01
_FEW_EVENTS = 60


def _figure(width: float, height: float) -> Any:
    """Make a figure for files (no display)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    class FileCanvas(FigureCanvasAgg):
        """Draws when the file is written, not at every change of a camera display."""

        def draw_idle(self, *arguments: Any, **options: Any) -> None:
            """Do nothing: there is no window to refresh."""

    figure = Figure(figsize=(width, height), dpi=_DOTS_PER_INCH)
    FileCanvas(figure)
    return figure


def _in_field(direction: Direction, pointing: Direction) -> tuple[float, float]:
    """Give a direction in the frame of a pointing (degrees)."""
    from astropy.coordinates import AltAz, SkyCoord
    from ctapipe.coordinates import TelescopeFrame

    def sky(of: Direction) -> Any:
        return SkyCoord(alt=of.altitude_deg, az=of.azimuth_deg, unit="deg", frame=AltAz())

    coordinate = sky(direction).transform_to(TelescopeFrame(telescope_pointing=sky(pointing)))
    return float(coordinate.fov_lon.deg), float(coordinate.fov_lat.deg)


def _mark(axes: Any, event: ReconstructedEvent) -> None:
    """Mark the true and the reconstructed direction of an event."""
    if event.pointing is None:
        return
    if event.true is not None:
        position = _in_field(event.true, event.pointing)
        axes.plot(
            *position,
            "*",
            color=_TRUE_COLOUR,
            markersize=11,
            markeredgecolor="white",
            label="true",
        )
    if event.reconstructed is not None:
        position = _in_field(event.reconstructed, event.pointing)
        axes.plot(
            *position,
            "o",
            markerfacecolor="none",
            markeredgecolor=_RECONSTRUCTED_COLOUR,
            markeredgewidth=2,
            markersize=10,
            label="reconstructed",
        )


def _event_title(label: str, event: ReconstructedEvent) -> str:
    """Say which event a picture shows."""
    parts = [f"{label}: observation {event.obs_id}, event {event.event_id}"]
    if event.true_energy_tev is not None:
        parts.append(f"true energy {event.true_energy_tev:.3g} TeV")
    if event.offset_deg is not None:
        parts.append(f"direction off by {event.offset_deg:.3f}°")
    return "   ·   ".join(parts)


def plot_cameras(path: Path, label: str, event: ReconstructedEvent, images: Sequence[TelescopeImage]) -> None:
    """Draw the camera images of an event with their Hillas ellipses.

    Parameters
    ----------
    path : pathlib.Path
        The PNG file.
    label : str
        Kind of data, in the title.
    event : ReconstructedEvent
        The event; its directions are marked.
    images : sequence of TelescopeImage
        At least one; the first `MAX_IMAGES` are drawn.
    """
    from ctapipe.visualization import CameraDisplay

    shown = images[:MAX_IMAGES]
    columns = min(_COLUMNS, len(shown))
    rows = -(-len(shown) // columns)
    figure = _figure(4.1 * columns, 4.0 * rows + 0.7)
    for index, image in enumerate(shown):
        axes = figure.add_subplot(rows, columns, index + 1)
        # Without autoupdate: it lays out the whole figure at every change.
        display = CameraDisplay(
            image.geometry,
            image.image,
            ax=axes,
            cmap="inferno",
            title="",
            autoupdate=False,
            show_frame=False,
        )
        unit = "photoelectrons" if _last(index, columns) else ""
        display.add_colorbar(ax=axes, shrink=0.8, label=unit)
        if image.ellipse is not None:
            display.overlay_moments(image.ellipse, color="cyan", linewidth=1.6, with_label=False)
        _mark(axes, event)
        axes.set_title(f"{image.name} (telescope {image.tel_id})", fontsize=10)
        axes.set_xlabel("longitude in the field / deg", fontsize=8)
        axes.set_ylabel("latitude in the field / deg", fontsize=8)
        axes.tick_params(labelsize=7)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    if handles:
        figure.axes[0].legend(handles, labels, fontsize=7, loc="upper left", framealpha=0.8)
    figure.suptitle(_event_title(label, event), fontsize=12, y=1 - 0.2 / figure.get_figheight())
    figure.subplots_adjust(
        left=0.05, right=0.97, top=1 - 0.75 / figure.get_figheight(), bottom=0.09, wspace=0.2
    )
    figure.savefig(path)


def _last(index: int, columns: int) -> bool:
    """Tell whether a panel ends its row."""
    return index % columns == columns - 1


def _draw_sky(axes: Any, events: Sequence[ReconstructedEvent]) -> None:
    """Draw true and reconstructed directions, joined."""
    for event in events:
        if event.pointing is None or event.true is None or event.reconstructed is None:
            continue
        true = _in_field(event.true, event.pointing)
        reconstructed = _in_field(event.reconstructed, event.pointing)
        axes.plot([true[0], reconstructed[0]], [true[1], reconstructed[1]], color="0.6", linewidth=0.9)
        _mark(axes, event)
        if len(events) <= _FEW_EVENTS:
            axes.annotate(str(event.event_id), true, xytext=(5, 5), textcoords="offset points", fontsize=7)
    handles, labels = axes.get_legend_handles_labels()
    unique = dict(zip(labels, handles, strict=True))
    axes.legend(unique.values(), unique.keys(), fontsize=9)
    axes.plot(0, 0, "+", color="0.3", markersize=12)
    axes.set_aspect("equal", adjustable="datalim")
    axes.grid(alpha=0.25)
    axes.set_xlabel("longitude from the pointing / deg")
    axes.set_ylabel("latitude from the pointing / deg")


def _draw_residuals(axes: Any, events: Sequence[ReconstructedEvent]) -> None:
    """Draw where events were reconstructed, seen from their true directions."""
    places = [
        _in_field(event.reconstructed, event.true)
        for event in events
        if event.true is not None and event.reconstructed is not None
    ]
    horizontal, vertical = np.array(places).T
    axes.plot(horizontal, vertical, ".", color=_RECONSTRUCTED_COLOUR, markersize=4, alpha=0.6)
    axes.plot(0, 0, "+", color=_TRUE_COLOUR, markersize=14)
    distances = np.hypot(horizontal, vertical)
    reach = max(_LEAST_REACH_DEG, float(np.quantile(distances, _SHOWN_SHARE)))
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), title=f"the nearest {_SHOWN_SHARE:.0%}")
    axes.set_aspect("equal")
    axes.grid(alpha=0.25)
    axes.set_xlabel("longitude from the true direction / deg")
    axes.set_ylabel("latitude from the true direction / deg")


def _draw_offsets(axes: Any, offsets: Sequence[float]) -> None:
    """Draw the share of events within an angle of their true direction."""
    ordered = np.sort(offsets)
    share = np.arange(1, ordered.size + 1) / ordered.size
    axes.step(
        np.r_[0.0, ordered],
        np.r_[0.0, share],
        where="post",
        color=_RECONSTRUCTED_COLOUR,
        linewidth=2,
    )
    median = float(np.median(ordered))
    axes.axvline(median, color=_TRUE_COLOUR, linestyle="--", label=f"median {median:.3f}°")
    axes.set_ylim(0, 1.03)
    # A few events go far astray: with them on the axis the others could not be seen.
    axes.set_xlim(0, max(_LEAST_REACH_DEG, 1.3 * float(np.quantile(ordered, _SHOWN_SHARE))))
    axes.set_xlabel("angle between reconstructed and true direction / deg")
    axes.set_ylabel("share of reconstructed events")
    axes.grid(alpha=0.25)
    axes.legend(fontsize=9)


def plot_directions(path: Path, report: EventReport) -> None:
    """Draw reconstructed against true directions of all events.

    Parameters
    ----------
    path : pathlib.Path
        The PNG file.
    report : EventReport
        At least one event with a reconstructed and a true direction.
    """
    offsets = [event.offset_deg for event in report.events if event.offset_deg is not None]
    figure = _figure(11.5, 5.2)
    sky, containment = figure.subplots(1, 2)
    if any(event.pointing is not None for event in report.events):
        _draw_sky(sky, report.events)
    else:
        # The telescopes followed the sky: there is no one pointing to draw the field around.
        _draw_residuals(sky, report.events)
    _draw_offsets(containment, offsets)
    known = sum(event.true is not None for event in report.events)
    figure.suptitle(f"{report.label}: {len(offsets)} of {known} events reconstructed", fontsize=12)
    figure.savefig(path)
