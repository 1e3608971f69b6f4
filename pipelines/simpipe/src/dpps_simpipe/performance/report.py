"""Table, numbers and pictures of a performance, beside the official response."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import QTable

from dpps.domain.errors import DamagedFile
from dpps_simpipe.performance.curves import MANY, Curve

__all__ = ["draw", "performance_table", "read_reference", "text"]

#: Columns of curves with their unit and what the reader sees.
_CURVES: Mapping[str, tuple[Any, str]] = {
    "effective_area": (u.m**2, "effective area / m²"),
    "angular_resolution": (u.deg, "angular resolution (68 %) / deg"),
    "energy_bias": (u.one, "energy bias"),
    "energy_resolution": (u.one, "energy resolution (68 %)"),
    "background_rate": (1 / (u.s * u.sr), "background rate in the bin / (s⁻¹ sr⁻¹)"),
}


def read_reference(path: Path) -> QTable:
    """Read the curves that ours are compared with.

    Parameters
    ----------
    path : Path
        ECSV with the columns of ``dpps_datapipe.irf.reference``.

    Returns
    -------
    QTable
        Curves; ``meta`` names source, authors and licence.

    Raises
    ------
    DamagedFile
        Columns are missing.
    """
    try:
        table = QTable.read(path, format="ascii.ecsv")
        edges = table["energy_min"].to_value(u.TeV), table["energy_max"].to_value(u.TeV)
        missing = [name for name in _CURVES if name not in table.colnames]
    except (OSError, ValueError, KeyError, AttributeError, u.UnitsError) as error:
        raise _damaged(path, str(error)) from error
    if missing or not np.allclose(edges[0][1:], edges[1][:-1]):
        raise _damaged(path, f"columns {', '.join(missing)} are missing" if missing else "bins with gaps")
    return table


def _damaged(path: Path, reason: str) -> DamagedFile:
    return DamagedFile(
        f"{path} holds no curves to compare with: {reason}",
        code="simpipe.reference-invalid",
        next_step="Give the table that dpps-datapipe ships (resources/prod5_north_20deg.ecsv).",
        path=path,
    )


def performance_table(curves: Mapping[str, Curve], reference: QTable, meta: Mapping[str, Any]) -> QTable:
    """Put curves beside the reference.

    Parameters
    ----------
    curves : mapping of str to Curve
        Ours, in the bins of the reference; names of `_CURVES`, those with ``_many`` of events with many
        telescopes, and ``triggered_area`` (m²).
    reference : QTable
        See `read_reference`.
    meta : mapping
        Kept in the table.

    Returns
    -------
    QTable
        For each quantity the columns ``<name>``, ``<name>_error``, ``<name>_events``, ``<name>_reference``.
    """
    table = QTable({name: reference[name] for name in ("energy_min", "energy_max")})
    area = curves["triggered_area"]
    table["triggered_area"] = area.value * u.m**2
    table["triggered_area_error"] = area.error * u.m**2
    for name, (unit, _) in _CURVES.items():
        curve = curves[name]
        table[name] = curve.value * unit
        table[f"{name}_error"] = curve.error * unit
        table[f"{name}_events"] = curve.events
        table[f"{name}_reference"] = u.Quantity(reference[name], unit)
        if (many := curves.get(f"{name}_many")) is not None:
            table[f"{name}_many"] = many.value * unit
            table[f"{name}_many_error"] = many.error * unit
    for name in table.colnames:
        if not name.endswith("_events"):
            table[name].info.format = ".4g"
    table.meta.update(meta)
    return table


def _pair(row: Any, name: str, digits: int = 3) -> str:
    ours, error, official = (
        float(u.Quantity(row[column]).value)
        for column in (name, f"{name}_error", f"{name.removesuffix('_many')}_reference")
    )
    if math.isnan(ours):
        return f"{'—':>20} {official:>9.{digits}g}"
    return f"{ours:>10.{digits}g} ± {error:<7.2g} {official:>9.{digits}g}"


def text(table: QTable) -> str:
    """Write the table for readers: ours with its error, then the official value.

    Parameters
    ----------
    table : QTable
        See `performance_table`.

    Returns
    -------
    str
        Lines.
    """
    names = ["effective_area", "angular_resolution", "angular_resolution_many", "energy_bias"]
    names += ["energy_resolution", "background_rate"]
    heads = ["area m2", "psf68 deg", f"psf68, >= {MANY} tels", "bias", "resolution", "background"]
    lines = [f"{'energy / TeV':>15}" + "".join(f" {f'{head}: ours, prod5':>30}" for head in heads)]
    for row in table:
        low, high = row["energy_min"].to_value(u.TeV), row["energy_max"].to_value(u.TeV)
        lines.append(f"{low:>7.3g}–{high:<7.3g}" + " ".join(_pair(row, name) for name in names))
    return "\n".join(lines) + "\n"


def draw(table: QTable, path: Path) -> None:
    """Draw the curves with their errors, and the official ones.

    Parameters
    ----------
    table : QTable
        See `performance_table`; ``meta["attribution"]`` is written under the picture.
    path : Path
        New picture.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    energy = np.sqrt(table["energy_min"].to_value(u.TeV) * table["energy_max"].to_value(u.TeV))
    figure = Figure(figsize=(12, 7.5), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(2, 3).ravel()
    for panel, (name, (_, label)) in zip(panels, _CURVES.items(), strict=False):
        value, error, official = (
            u.Quantity(table[column]).value for column in (name, f"{name}_error", f"{name}_reference")
        )
        panel.plot(energy, official, "k-", lw=1.2, label="prod5, 50 h cuts")
        panel.errorbar(energy, value, yerr=error, fmt="o", ms=4, color="C0", label="dpps-simpipe")
        if f"{name}_many" in table.colnames:
            value, error = (u.Quantity(table[f"{name}_many{part}"]).value for part in ("", "_error"))
            many = f"dpps-simpipe, {MANY} telescopes or more"
            panel.errorbar(energy, value, yerr=error, fmt="^", ms=4, color="C2", label=many)
        panel.set(xscale="log", xlabel="energy / TeV", ylabel=label)
        if name != "energy_bias":
            panel.set_yscale("log")
        panel.grid(alpha=0.3)
    area = panels[0]
    area.errorbar(
        energy, table["triggered_area"].value, yerr=table["triggered_area_error"].value, fmt="s", ms=3,
        mfc="none", color="C1", label="dpps-simpipe, triggered",
    )  # fmt: skip
    area.legend(fontsize=8)
    _draw_ratio(panels[5], energy, table)
    figure.suptitle(str(table.meta.get("title", "")), fontsize=10)
    figure.supxlabel(str(table.meta.get("attribution", "")), fontsize=6)
    figure.savefig(path, dpi=110)


def _draw_ratio(panel: Any, energy: Any, table: QTable) -> None:
    """Draw ours over the official curves."""
    for name in ("effective_area", "angular_resolution_many", "energy_resolution"):
        official = u.Quantity(table[f"{name.removesuffix('_many')}_reference"]).value
        ratio = u.Quantity(table[name]).value / official
        label = name.removesuffix("_many").replace("_", " ")
        panel.errorbar(
            energy, ratio, yerr=u.Quantity(table[f"{name}_error"]).value / official, fmt="o-", ms=3,
            lw=0.8, label=f"{label}, {MANY} telescopes" if name.endswith("_many") else label,
        )  # fmt: skip
    panel.axhline(1.0, color="k", lw=0.8)
    panel.set(xscale="log", xlabel="energy / TeV", ylabel="ours / prod5", ylim=(0, 3))
    panel.grid(alpha=0.3)
    panel.legend(fontsize=8)
