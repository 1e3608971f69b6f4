"""How many showers each bin of a response rests on, and where it was simulated."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from dpps_datapipe.irf.reading import BACKGROUND_STATISTICS, STATISTICS, Floats

__all__ = [
    "SimulatedPoint",
    "background_statistics_hdu",
    "count_showers",
    "simulated_point",
    "statistics_hdu",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedPoint:
    """Where and how the gammas of a response were simulated."""

    zenith_deg: float
    #: From north towards east.
    azimuth_deg: float
    #: Of the magnetic field, degrees; declination from north towards east, inclination downwards.
    field_declination_deg: float
    field_inclination_deg: float
    n_thrown: int
    #: Area over which cores were thrown, square metres.
    thrown_area_m2: float
    energy_min_tev: float
    energy_max_tev: float
    viewcone_deg: float


def _first(table: Any, name: str, unit: str, default: float) -> float:
    if name not in table.colnames:
        return default
    return float(table[name].quantity[0].to_value(unit))


def simulated_point(runs: Any) -> SimulatedPoint:
    """Read the point of a simulation configuration.

    Parameters
    ----------
    runs : astropy.table.Table
        Table of the simulated runs in ctapipe's layout; one point for all of them.

    Returns
    -------
    SimulatedPoint
    """
    radius = _first(runs, "max_scatter_range", "m", 0.0)
    return SimulatedPoint(
        zenith_deg=90.0 - _first(runs, "max_alt", "deg", 90.0),
        azimuth_deg=_first(runs, "max_az", "deg", 0.0) % 360.0,
        field_declination_deg=_first(runs, "prod_site_B_declination", "deg", 0.0),
        field_inclination_deg=_first(runs, "prod_site_B_inclination", "deg", 0.0),
        n_thrown=int((runs["n_showers"] * runs["shower_reuse"]).sum()),
        thrown_area_m2=float(np.pi * radius**2),
        energy_min_tev=_first(runs, "energy_range_min", "TeV", 0.0),
        energy_max_tev=_first(runs, "energy_range_max", "TeV", 0.0),
        viewcone_deg=_first(runs, "max_viewcone_radius", "deg", 0.0),
    )


def count_showers(
    events: Any, energy_edges: Floats, offset_edges: Floats, *, bins_of: str = "true"
) -> tuple[Floats, Floats]:
    """Count selected events and the distinct showers among them.

    A shower that is used several times keeps its true energy to the last digit:
    run and true energy name it.

    Parameters
    ----------
    events : astropy.table.QTable
        Selected events with ``obs_id``, ``true_energy``, and energy and ``source_fov_offset`` of the bins.
    energy_edges, offset_edges : numpy.ndarray
        Edges in TeV and degrees.
    bins_of : str
        ``true`` or ``reco``: of which energy and offset the edges are.

    Returns
    -------
    tuple of numpy.ndarray
        Events and showers, shape ``(n_offset, n_energy)``.
    """
    shower = events["true_energy"].to_value("TeV")
    energy = events[f"{bins_of}_energy"].to_value("TeV")
    offset = events[f"{bins_of}_source_fov_offset"].to_value("deg")
    row = np.searchsorted(offset_edges, offset, side="right") - 1
    column = np.searchsorted(energy_edges, energy, side="right") - 1
    n_offset, n_energy = len(offset_edges) - 1, len(energy_edges) - 1
    inside = (row >= 0) & (row < n_offset) & (column >= 0) & (column < n_energy)
    shape = (n_offset, n_energy)
    bins = row[inside] * n_energy + column[inside]
    size = n_offset * n_energy
    keys = np.rec.fromarrays([bins, np.asarray(events["obs_id"])[inside], shower[inside]])
    distinct = np.unique(keys)
    return (
        np.bincount(bins, minlength=size).reshape(shape).astype(float),
        np.bincount(distinct["f0"], minlength=size).reshape(shape).astype(float),
    )


def statistics_hdu(
    point: SimulatedPoint, counts: tuple[Floats, Floats], energy_edges: Floats, offset_edges: Floats
) -> Any:
    """Make the HDU that tells a reader what a response rests on.

    Parameters
    ----------
    point : SimulatedPoint
        Where and how the gammas were simulated.
    counts : tuple of numpy.ndarray
        Events and showers, shape ``(n_offset, n_energy)``.
    energy_edges, offset_edges : numpy.ndarray
        Edges in TeV and degrees.

    Returns
    -------
    astropy.io.fits.BinTableHDU
    """
    hdu = _counts_hdu(STATISTICS, counts, energy_edges, offset_edges)
    hdu.header["THROWNAR"] = (point.thrown_area_m2, "[m2] area over which cores were thrown")
    hdu.header["N_THROWN"] = (point.n_thrown, "simulated showers, with their reuse")
    hdu.header["EMIN_SIM"] = (point.energy_min_tev, "[TeV] lowest simulated energy")
    hdu.header["EMAX_SIM"] = (point.energy_max_tev, "[TeV] highest simulated energy")
    hdu.header["VIEWCONE"] = (point.viewcone_deg, "[deg] radius of the simulated directions")
    return hdu


def background_statistics_hdu(
    counts: tuple[Floats, Floats], energy_edges: Floats, offset_edges: Floats
) -> Any:
    """Make the HDU that tells a reader what a background rests on.

    Parameters
    ----------
    counts : tuple of numpy.ndarray
        Events and showers, shape ``(n_offset, n_energy)``.
    energy_edges, offset_edges : numpy.ndarray
        Edges of the reconstructed energy in TeV, and of the offset in degrees.

    Returns
    -------
    astropy.io.fits.BinTableHDU
    """
    return _counts_hdu(BACKGROUND_STATISTICS, counts, energy_edges, offset_edges)


def _counts_hdu(name: str, counts: tuple[Floats, Floats], energy_edges: Floats, offset_edges: Floats) -> Any:
    from astropy import units as u
    from astropy.io import fits
    from astropy.table import QTable

    table = QTable(
        {
            "ENERG_LO": energy_edges[np.newaxis, :-1] * u.TeV,
            "ENERG_HI": energy_edges[np.newaxis, 1:] * u.TeV,
            "THETA_LO": offset_edges[np.newaxis, :-1] * u.deg,
            "THETA_HI": offset_edges[np.newaxis, 1:] * u.deg,
            "N_EVENTS": counts[0][np.newaxis].astype(np.int64),
            "N_SHOWERS": counts[1][np.newaxis].astype(np.int64),
        }
    )
    return fits.BinTableHDU(table, name=name)
