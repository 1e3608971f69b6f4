"""Curves of a response: area, resolutions, showers behind each bin."""

from pathlib import Path
from typing import Any

import numpy as np

from dpps_datapipe.irf.check import gauss_containment, table_containment
from dpps_datapipe.irf.reading import STATISTICS, Axis, Floats, Response, ResponseFile

__all__ = ["containment_radius_deg", "energy_resolution", "plot_response"]

_CONTAINED = 0.68


def _energies(axis: Axis) -> Floats:
    return np.asarray(np.sqrt(axis.low * axis.high))


def energy_resolution(dispersion: Response) -> Floats:
    """Give half of the central 68 % of the migration: shape ``(n_offset, n_energy)``."""
    axis = dispersion.axes["MIGRA"]
    matrix = np.moveaxis(dispersion.values["MATRIX"], 1, -1)
    cumulative = np.cumsum(matrix * axis.width, axis=-1)
    total = cumulative[..., -1]
    result = np.full(total.shape, np.nan)
    for index in np.argwhere(total > 0.0):
        row = np.append(0.0, cumulative[tuple(index)] / total[tuple(index)])
        low, high = np.interp([0.16, 0.84], row, axis.edges)
        result[tuple(index)] = (high - low) / 2.0
    return result


def containment_radius_deg(psf: Response, fraction: float = _CONTAINED) -> Floats:
    """Give the radius that contains a fraction of the events: shape ``(n_offset, n_energy)``, degrees."""
    if psf.kind == "PSF_TABLE":
        containment = table_containment(psf)
        radii = np.broadcast_to(psf.axes["RAD"].high[:, np.newaxis, np.newaxis], containment.shape)
    else:
        radii, containment = gauss_containment(psf)
    result = np.full(containment.shape[1:], np.nan)
    for i, j in np.ndindex(*result.shape):
        full = containment[-1, i, j]
        if full > 0.0:
            result[i, j] = np.interp(fraction * full, containment[:, i, j], radii[:, i, j])
    return result


def _draw(axes: Any, response: Response, values: Floats, label: str, logarithmic: bool) -> None:
    offset = response.axes["THETA"]
    for i in range(len(offset.low)):
        shown = np.where(values[i] > 0.0, values[i], np.nan)
        axes.plot(_energies(response.energy), shown, ".-", label=f"{offset.low[i]:g}–{offset.high[i]:g} deg")
    axes.set(xscale="log", xlabel="Energy / TeV", ylabel=label)
    if logarithmic and (values > 0.0).any():
        axes.set_yscale("log")
    axes.grid(alpha=0.3)


def plot_response(file: ResponseFile, path: Path) -> None:
    """Draw the curves of a response into a picture.

    Parameters
    ----------
    file : ResponseFile
        The response.
    path : pathlib.Path
        New picture (PNG, PDF, SVG).
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 7), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(2, 2)
    area = file.of_kind("AEFF_2D")[0]
    _draw(panels[0, 0], area, area.values["EFFAREA"], "Effective area / m²", logarithmic=True)
    panels[0, 0].legend(fontsize=7)
    for psf in file.of_kind("PSF_TABLE", "PSF_3GAUSS")[:1]:
        _draw(panels[0, 1], psf, containment_radius_deg(psf), "68 % containment / deg", logarithmic=True)
    for dispersion in file.of_kind("EDISP_2D")[:1]:
        _draw(panels[1, 0], dispersion, energy_resolution(dispersion), "Energy resolution", logarithmic=False)
    for statistics in file.of_kind(STATISTICS):
        _draw(panels[1, 1], statistics, statistics.values["N_SHOWERS"], "Distinct showers", logarithmic=True)
    if not file.of_kind(STATISTICS):
        panels[1, 1].set_axis_off()
    figure.suptitle(file.path.name)
    figure.savefig(path)
