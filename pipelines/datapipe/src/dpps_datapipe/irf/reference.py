"""Curves of a response, and those of the official prod5 response of CTAO-North, for comparison.

The shipped curves (``resources/prod5_north_20deg.ecsv``) were made by `curves_of` from
``Prod5-North-20deg-AverageAz-4LSTs09MSTs.180000s-v0.1.fits.gz``: Cherenkov Telescope Array Observatory and
Cherenkov Telescope Array Consortium, "CTAO Instrument Response Functions - prod5 version v0.1" (2021),
doi:10.5281/zenodo.5499840, licence CC BY 4.0; changed: averaged over wider
bins of energy, first bin of offset.
"""

from importlib.resources import files
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from dpps_datapipe.irf.plots import containment_radius_deg
from dpps_datapipe.irf.reading import Axis, Floats, Response, ResponseFile

if TYPE_CHECKING:
    from astropy.table import QTable

__all__ = ["ENERGY_EDGES_TEV", "curves_of", "reference_curves"]

#: Five bins per decade, those of the official point spread function and background, in TeV. Shape (21,).
ENERGY_EDGES_TEV = 10.0 ** (np.arange(-19, 22, 2) / 10.0)
_REFERENCE = "prod5_north_20deg.ecsv"
_CENTRAL = (0.16, 0.5, 0.84)


def _centres(axis: Axis) -> Floats:
    return np.asarray(np.sqrt(axis.low * axis.high))


def _inside(axis: Axis, low: float, high: float) -> Floats:
    """Choose the bins of an axis whose centre lies in an interval."""
    centres = _centres(axis)
    return np.asarray((centres > low) & (centres < high))


def _bins() -> list[tuple[float, float]]:
    return list(pairwise(ENERGY_EDGES_TEV))


def _mean(axis: Axis, values: Floats) -> Floats:
    """Average values over each of our bins of energy; NaN where the response has none."""
    chosen = [values[_inside(axis, low, high)] for low, high in _bins()]
    return np.array([one.mean() if len(one) else np.nan for one in chosen])


def _dispersion(response: Response) -> tuple[Floats, Floats]:
    """Give bias (median) and resolution (half of the central 68 %) of the reconstructed energy."""
    migration = response.axes["MIGRA"]
    # Shape (n_migration, n_energy) of the first offset.
    matrix = response.values["MATRIX"][0] * migration.width[:, np.newaxis]
    bias, resolution = [], []
    for low, high in _bins():
        total = matrix[:, _inside(response.energy, low, high)].sum(axis=1)
        if total.sum() <= 0.0:
            bias.append(np.nan)
            resolution.append(np.nan)
            continue
        cumulative = np.append(0.0, np.cumsum(total) / total.sum())
        below, middle, above = np.interp(_CENTRAL, cumulative, migration.edges)
        bias.append(middle - 1.0)
        resolution.append((above - below) / 2.0)
    return np.array(bias), np.array(resolution)


def _background_rate(background: Response) -> Floats:
    """Give the rate within a degree of the centre, per bin of reconstructed energy: s-1 sr-1."""
    rate = background.values["BKG"]
    if background.kind == "BKG_2D":
        central = rate[0]
    else:
        x, y = (0.5 * (background.axes[name].low + background.axes[name].high) for name in ("DETX", "DETY"))
        near = np.hypot(y[:, np.newaxis], x[np.newaxis, :]) < 1.0
        central = rate[near].mean(axis=0)
    per_bin = central * background.energy.width * 1e6  # the density is per MeV
    chosen = [per_bin[_inside(background.energy, low, high)] for low, high in _bins()]
    return np.array([one.sum() if len(one) else np.nan for one in chosen])


def curves_of(file: ResponseFile) -> "QTable":
    """Give the curves of a response near the centre of the field of view.

    Parameters
    ----------
    file : ResponseFile
        Effective area, dispersion, point spread function, background.

    Returns
    -------
    astropy.table.QTable
        A row per bin of energy (`ENERGY_EDGES_TEV`) with the columns ``energy_min``, ``energy_max`` (TeV);
        ``effective_area`` (m2), ``angular_resolution`` (deg, radius of 68 %), ``energy_bias`` (median of
        reconstructed over true energy, less one), ``energy_resolution`` (half of the central 68 %): true
        energy, first bin of offset; ``background_rate`` (s-1 sr-1 in the bin): reconstructed energy, offsets
        below a degree, or the first bin. NaN: the response says nothing there.
    """
    from astropy import units as u
    from astropy.table import QTable

    nothing = np.full(len(ENERGY_EDGES_TEV) - 1, np.nan)
    columns = dict.fromkeys(("psf", "bias", "resolution", "bkg"), nothing)
    area = file.of_kind("AEFF_2D")[0]
    for psf in file.of_kind("PSF_TABLE", "PSF_3GAUSS")[:1]:
        columns["psf"] = _mean(psf.energy, containment_radius_deg(psf)[0])
    for dispersion in file.of_kind("EDISP_2D")[:1]:
        columns["bias"], columns["resolution"] = _dispersion(dispersion)
    for background in file.of_kind("BKG_2D", "BKG_3D")[:1]:
        columns["bkg"] = _background_rate(background)
    return QTable(
        {
            "energy_min": ENERGY_EDGES_TEV[:-1] * u.TeV,
            "energy_max": ENERGY_EDGES_TEV[1:] * u.TeV,
            "effective_area": _mean(area.energy, area.values["EFFAREA"][0]) * u.m**2,
            "angular_resolution": columns["psf"] * u.deg,
            "energy_bias": columns["bias"],
            "energy_resolution": columns["resolution"],
            "background_rate": columns["bkg"] / u.s / u.sr,
        }
    )


def reference_curves() -> "QTable":
    """Give the curves of the official prod5 response: CTAO-North, 4 LST and 9 MST, zenith 20 deg, 50 h.

    Returns
    -------
    astropy.table.QTable
        See `curves_of`; ``meta`` has source, licence and authors, to be named with every picture.
    """
    from astropy.table import QTable

    with (files("dpps_datapipe") / "resources" / _REFERENCE).open(encoding="utf-8") as stream:
        return QTable.read(stream.read(), format="ascii.ecsv")
