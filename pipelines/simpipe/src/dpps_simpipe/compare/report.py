"""Tables, figures and numbers of the comparison with real simulation."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from dpps_simpipe.compiled import FloatArray

__all__ = ["draw", "summarise", "table", "write_json"]

#: Telescopes with fewer photoelectrons in either simulation say nothing about efficiency.
LEAST_PHOTOELECTRONS = 40.0

type Row = Mapping[str, Any]


def _geometric_mean(ratios: FloatArray, groups: Sequence[str]) -> dict[str, float]:
    """Give the geometric mean of ratios, each group (event) counting once, and its error."""
    by_group = {group: [] for group in groups}  # type: dict[str, list[float]]
    for ratio, group in zip(ratios, groups, strict=True):
        by_group[group].append(math.log(ratio))
    means = np.array([np.mean(values) for values in by_group.values()])
    if not len(means):
        return {"ratio": math.nan, "error": math.nan, "events": 0, "telescopes": 0}
    error = float(means.std(ddof=1) / math.sqrt(len(means))) if len(means) > 1 else math.nan
    return {
        "ratio": float(np.exp(means.mean())),
        "error": float(np.exp(means.mean()) * error),
        "events": len(means),
        "telescopes": len(ratios),
    }


def _ratio(rows: Sequence[Row], real: str, ours: str) -> dict[str, float]:
    kept = [row for row in rows if row[real] > 0 and row[ours] > 0]
    return _geometric_mean(np.array([row[real] / row[ours] for row in kept]), [row["event"] for row in kept])


def _efficiency(rows: Sequence[Row]) -> dict[str, float]:
    """Compare photoelectrons per photon: nearly free of the showers' fluctuations."""
    kept = [
        row
        for row in rows
        if row["is_current"]
        and min(row["photoelectrons_real"], row["photoelectrons_ours"]) >= LEAST_PHOTOELECTRONS
        and row["photons_real"] > 0
    ]
    ratios = [
        (row["photoelectrons_real"] / row["photons_real"])
        / (row["photoelectrons_ours"] / row["photons_ours"])
        for row in kept
    ]
    return _geometric_mean(np.array(ratios), [row["event"] for row in kept])


def _images(rows: Sequence[Row], name: str) -> dict[str, float]:
    """Compare an image parameter of telescopes that triggered in both."""
    kept = [
        row
        for row in rows
        if math.isfinite(row["image_real"][name]) and math.isfinite(row["image_ours"][name])
    ]
    ratios = np.array([row["image_real"][name] / row["image_ours"][name] for row in kept])
    return _geometric_mean(ratios, [row["event"] for row in kept])


def _times(rows: Sequence[Row]) -> dict[str, float]:
    """Compare relative trigger times (ns): root mean squares over telescopes."""
    kept = [row for row in rows if math.isfinite(row["trigger_time"]["deviation"])]
    sizes = {
        name: math.sqrt(np.mean([row["trigger_time"][name] ** 2 for row in kept])) if kept else math.nan
        for name in ("real", "deviation", "spread")
    }
    return {**sizes, "events": len({row["event"] for row in kept}), "telescopes": len(kept)}


def _event(rows: Sequence[Row]) -> dict[str, Any]:
    """Compare the photons of one event, and its images by telescope type."""
    images = {
        kind: {
            name: _images([row for row in rows if row["kind"] == kind], name)
            for name in ("width", "length", "size")
        }
        for kind in sorted({row["kind"] for row in rows})
    }
    return {**_ratio(rows, "photons_real", "photons_ours"), "images": images}


def summarise(simtel: Sequence[Row], corsika: Sequence[Row], calibration: Sequence[str]) -> dict[str, Any]:
    """Sum up a comparison.

    Parameters
    ----------
    simtel : sequence of mapping
        Rows of `dpps_simpipe.compare.ours.TelescopeComparison`.
    corsika : sequence of mapping
        Rows of `dpps_simpipe.compare.corsika.SphereComparison`.
    calibration : sequence of str
        Beginnings of file names whose events serve to calibrate; all others check.

    Returns
    -------
    dict
        Ratios real over ours with their errors, by half and telescope type.
    """
    summary: dict[str, Any] = {"calibration_files": list(calibration), "halves": {}}
    for half in ("calibration", "check"):
        is_calibration = half == "calibration"
        rows = [row for row in simtel if row["event"].startswith(tuple(calibration)) is is_calibration]
        entry: dict[str, Any] = {"events": len({row["event"] for row in rows})}
        entry["photons"] = _ratio(rows, "photons_real", "photons_ours")
        for kind in sorted({row["kind"] for row in rows}):
            mine = [row for row in rows if row["kind"] == kind]
            entry[kind] = {
                "photoelectrons_per_photon": _efficiency(mine),
                "photoelectrons": _ratio(
                    [row for row in mine if row["is_current"]], "photoelectrons_real", "photoelectrons_ours"
                ),
                **{name: _images(mine, name) for name in ("width", "length", "size")},
                "trigger_times_ns": _times(mine),
                "triggers_real": sum(row["triggered_real"] for row in mine if row["is_current"]),
                "triggers_ours": sum(row["triggered_ours"] for row in mine if row["is_current"]),
            }
        summary["halves"][half] = entry
    summary["events"] = {
        name: _event([row for row in simtel if row["event"] == name])
        for name in sorted({row["event"] for row in simtel})
    }
    summary["corsika"] = {
        "photons": _ratio(corsika, "photons_real", "photons_ours"),
        "spheres": [
            {
                "impact_m": [low, high],
                **_ratio(
                    [row for row in corsika if low <= row["impact_m"] < high], "photons_real", "photons_ours"
                ),
            }
            for low, high in ((0, 120), (120, 250), (250, 400), (400, 600), (600, 1200))
        ],
    }
    return summary


def table(summary: Mapping[str, Any]) -> str:
    """Write the summary as text.

    Parameters
    ----------
    summary : mapping
        See `summarise`.

    Returns
    -------
    str
        Lines of a table.
    """
    lines = [f"{'quantity (real / ours)':58} {'ratio':>7} {'error':>7} {'events':>7} {'tels':>6}"]

    def add(name: str, entry: Mapping[str, float]) -> None:
        lines.append(
            f"{name:58} {entry['ratio']:7.3f} {entry['error']:7.3f} {entry['events']:7d} "
            f"{entry['telescopes']:6d}"
        )

    add("CORSIKA photons, all spheres", summary["corsika"]["photons"])
    for entry in summary["corsika"]["spheres"]:
        low, high = entry["impact_m"]
        add(f"CORSIKA photons, {low} to {high} m", entry)
    for name, entry in summary["events"].items():
        add(f"photons: {name[-40:]}", entry)
    for half, entry in summary["halves"].items():
        add(f"{half}: photons at telescopes", entry["photons"])
        for kind, numbers in entry.items():
            if not isinstance(numbers, Mapping) or "width" not in numbers:
                continue
            for name in ("photoelectrons_per_photon", "photoelectrons", "width", "length", "size"):
                add(f"{half}: {kind}: {name}", numbers[name])
            lines.append(
                f"{half + ': ' + kind + ': telescope triggers':58} {numbers['triggers_real']:7d} real, "
                f"{numbers['triggers_ours']:.1f} ours"
            )
    lines += _lines_of_times(summary)
    return "\n".join(lines) + "\n"


def _lines_of_times(summary: Mapping[str, Any]) -> list[str]:
    """Write what is known of trigger times: no ratios."""
    lines = ["", f"{'trigger times within a type, rms (ns)':40} {'real':>7} {'real - ours':>12} {'spread':>7}"
             f" {'events':>7} {'tels':>6}"]  # fmt: skip
    for half, entry in summary["halves"].items():
        for kind, numbers in entry.items():
            if not isinstance(numbers, Mapping) or "trigger_times_ns" not in numbers:
                continue
            one = numbers["trigger_times_ns"]
            lines.append(
                f"{half + ': ' + kind:40} {one['real']:7.2f} {one['deviation']:12.2f} {one['spread']:7.2f} "
                f"{one['events']:7d} {one['telescopes']:6d}"
            )
    return lines


def draw(simtel: Sequence[Row], corsika: Sequence[Row], path: Path) -> None:
    """Draw the comparison.

    Parameters
    ----------
    simtel, corsika : sequence of mapping
        Rows, see `summarise`.
    path : Path
        PNG file to write.
    """
    figure = Figure(figsize=(15, 8), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, 3)
    _points(axes[0, 0], corsika, "photons", "CORSIKA: photons in spheres", lambda row: "gamma")
    _points(axes[0, 1], simtel, "photons", "sim_telarray: photons at telescopes", lambda row: row["primary"])
    current = [row for row in simtel if row["is_current"]]
    _points(axes[1, 0], current, "photoelectrons", "sim_telarray: photoelectrons", lambda row: row["kind"])
    for name, marker in (("width", "o"), ("length", "s")):
        pairs = [
            (row["image_ours"][name], row["image_real"][name])
            for row in simtel
            if math.isfinite(row["image_real"][name]) and math.isfinite(row["image_ours"][name])
        ]
        if pairs:
            axes[1, 1].plot(*np.array(pairs).T, marker, ms=4, label=name)
    axes[1, 1].plot([0.03, 1.0], [0.03, 1.0], "k-", lw=0.8)
    axes[1, 1].set(
        xscale="log", yscale="log", xlabel="ours, median (deg)", ylabel="real (deg)",
        title="true images",
    )  # fmt: skip
    axes[1, 1].legend()
    _draw_times(axes[0, 2], simtel)
    _draw_sizes(axes[1, 2], simtel)
    figure.savefig(path, dpi=110)


def _draw_times(axes: Any, rows: Sequence[Row]) -> None:
    """Draw relative trigger times, real against ours."""
    for kind in sorted({row["kind"] for row in rows}):
        times = [
            row["trigger_time"]
            for row in rows
            if row["kind"] == kind and math.isfinite(row["trigger_time"]["deviation"])
        ]
        axes.errorbar(
            [time["real"] - time["deviation"] for time in times],
            [time["real"] for time in times],
            xerr=[time["spread"] for time in times],
            fmt="o", ms=4, lw=0.5, label=kind,
        )  # fmt: skip
    axes.plot([-20.0, 20.0], [-20.0, 20.0], "k-", lw=0.8)
    axes.set(xlabel="ours, mean (ns)", ylabel="real (ns)", title="trigger times against the mean of the type")
    if rows:
        axes.legend()


def _draw_sizes(axes: Any, rows: Sequence[Row]) -> None:
    """Draw width, length and size of true images, real over ours, against the impact distance."""
    for name, marker in (("width", "o"), ("length", "s"), ("size", "^")):
        pairs = [
            (row["impact_m"], row["image_real"][name] / row["image_ours"][name])
            for row in rows
            if math.isfinite(row["image_real"][name]) and math.isfinite(row["image_ours"][name])
        ]
        if pairs:
            axes.plot(*np.array(pairs).T, marker, ms=4, label=name)
            axes.legend()
    axes.axhline(1.0, color="k", lw=0.8)
    axes.set(
        yscale="log", ylim=(0.2, 5), xlabel="impact distance (m)", ylabel="real / median of ours",
        title="true images",
    )  # fmt: skip


def _points(axes: Any, rows: Sequence[Row], what: str, title: str, group: Any) -> None:
    """Draw ratios against the impact distance."""
    for name in sorted({group(row) for row in rows}):
        kept = [
            row
            for row in rows
            if group(row) == name and row[f"{what}_real"] > 0 and row[f"{what}_ours"] >= LEAST_PHOTOELECTRONS
        ]
        axes.errorbar(
            [row["impact_m"] for row in kept],
            [row[f"{what}_real"] / row[f"{what}_ours"] for row in kept],
            yerr=[row[f"{what}_spread"] / row[f"{what}_ours"] for row in kept],
            fmt=".", lw=0.5, label=name,
        )  # fmt: skip
    axes.axhline(1.0, color="k", lw=0.8)
    axes.set(
        yscale="log", ylim=(0.2, 5), xlabel="impact distance (m)", ylabel="real / mean of ours", title=title
    )
    if rows:
        axes.legend()


def write_json(path: Path, content: Any) -> None:
    """Write a file that appears when it is complete.

    Parameters
    ----------
    path : Path
        File.
    content : object
        Plain data.
    """
    unfinished = path.with_name(f"unfinished_{path.name}")
    unfinished.write_text(json.dumps(content, indent=1), encoding="utf-8")
    unfinished.replace(path)
