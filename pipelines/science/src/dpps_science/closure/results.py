"""Pulls of many nights: table, figures, picture."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dpps_science.files import write_whole
from dpps_science.plots import save

__all__ = ["draw_pulls", "pull_table", "summarise", "write_table"]


def pull_table(nights: Sequence[Mapping[str, Any]]) -> Any:
    """Give the nights as a table.

    Parameters
    ----------
    nights : sequence of mapping
        ``seed`` and what ``dpps-science compare`` gives.

    Returns
    -------
    astropy.table.Table
        A row a night: ``seed``, and for each parameter its value, error and pull; ``excess``. The injected
        values are in ``meta``.
    """
    from astropy.table import Table

    rows = []
    for night in nights:
        row: dict[str, Any] = {"seed": night["seed"], "excess": night["counts"]["excess"]}
        for one in night["parameters"]:
            name = one["name"]
            row |= {name: one["fitted"], f"{name}_err": one["error"], f"{name}_pull": one["pull"]}
        rows.append(row)
    injected = {one["name"]: one["injected"] for one in nights[0]["parameters"]}
    meta = {"injected": injected, "background_fraction": nights[0]["background_fraction"]}
    return Table(rows=rows, meta=meta)


def _pulls(table: Any) -> dict[str, Any]:
    return {name: np.asarray(table[f"{name}_pull"]) for name in table.meta["injected"]}


def summarise(table: Any) -> str:
    """Say mean and width of the pulls."""
    parts = []
    for name, pulls in _pulls(table).items():
        width = f", width {np.std(pulls, ddof=1):.2f}" if len(pulls) > 1 else ""
        parts.append(f"{name} pulls: mean {np.mean(pulls):+.2f}{width}")
    return f"{len(table)} nights; " + "; ".join(parts)


def write_table(table: Any, path: Path) -> None:
    """Write the table (ECSV) as a whole or not at all."""
    text = io.StringIO()
    table.write(text, format="ascii.ecsv")
    write_whole(path, text.getvalue().encode())


def draw_pulls(table: Any, path: Path) -> None:
    """Draw the pulls of each parameter by night."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    pulls = _pulls(table)
    figure = Figure(figsize=(7, 2.2 * len(pulls) + 0.6), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    panels = np.atleast_1d(figure.subplots(len(pulls), 1, sharex=True))
    for axes, (name, values) in zip(panels, pulls.items(), strict=True):
        axes.errorbar(np.asarray(table["seed"]), values, yerr=1.0, fmt="o", ms=4)
        axes.axhline(0.0, color="0.5", lw=1)
        axes.axhspan(-1.0, 1.0, color="0.5", alpha=0.12, lw=0)
        axes.set_ylabel(f"pull of {name}")
    panels[-1].set_xlabel("Seed")
    figure.suptitle(summarise(table), fontsize=9)
    save(figure, path)
