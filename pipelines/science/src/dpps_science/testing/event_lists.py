"""Self-made event lists: a source with a known spectrum, seen by a response of plain formulas."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import QTable

__all__ = ["DEC", "PSF_DEG", "RA", "Made", "cut_deg", "write_event_list"]

RA, DEC = 83.63, 22.01
AREA_M2, RESOLUTION, PSF_DEG = 1.0e5, 0.1, 0.05
EDGES_TEV = np.geomspace(0.05, 50.0, 31)


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What an event list holds."""

    obs_id: int = 1
    #: Pointing from the source, towards the north, degrees.
    wobble_deg: float = 0.5
    #: Differential flux at 1 TeV, 1/(cm2 s TeV).
    amplitude: float = 3.0e-11
    index: float = 2.5
    seconds: float = 900.0
    background: int = 1500
    target_dec: float = DEC
    #: The response holds within a cut in direction, see `cut_deg`.
    point_like: bool = False
    seed: int = 4


def cut_deg(energy_tev: Any) -> Any:
    """Return the cut in direction of point-like responses, degrees: tighter at higher energies."""
    return np.clip(0.1 * np.asarray(energy_tev) ** -0.2, 0.05, 0.2)


def _energies(made: Made, random: np.random.Generator) -> Any:
    power = 1.0 - made.index
    low, high = EDGES_TEV[0] ** power, EDGES_TEV[-1] ** power
    expected = made.amplitude / power * (high - low) * AREA_M2 * 1e4 * made.seconds
    number = random.poisson(expected)
    return (low + random.random(number) * (high - low)) ** (1.0 / power)


def _events(made: Made) -> QTable:
    random = np.random.default_rng([made.seed, made.obs_id])
    energy = _energies(made, random)
    energy = energy * np.exp(random.normal(0.0, RESOLUTION, energy.size))
    source = SkyCoord(RA * u.deg, DEC * u.deg)
    seen = source.directional_offset_by(
        random.uniform(0.0, 360.0, energy.size) * u.deg, random.rayleigh(PSF_DEG, energy.size) * u.deg
    )
    pointing = SkyCoord(RA * u.deg, (DEC + made.wobble_deg) * u.deg)
    sky = pointing.directional_offset_by(
        random.uniform(0.0, 360.0, made.background) * u.deg,
        1.5 * np.sqrt(random.random(made.background)) * u.deg,
    )
    energies = np.concatenate([energy, 0.1 * (1.0 - random.random(made.background)) ** (-1.0 / 1.7)])
    number = energies.size
    return QTable(
        {
            "EVENT_ID": np.arange(number),
            "TIME": np.sort(random.uniform(0.0, made.seconds, number)) * u.s,
            "RA": np.concatenate([seen.ra.deg, sky.ra.deg]) * u.deg,
            "DEC": np.concatenate([seen.dec.deg, sky.dec.deg]) * u.deg,
            "ENERGY": energies * u.TeV,
        }
    )


_TIME = {"MJDREFI": 51544, "MJDREFF": 0.5, "TIMEUNIT": "s", "TIMESYS": "TT", "TIMEREF": "LOCAL"}


def _header(made: Made) -> dict[str, Any]:
    return {
        **_TIME,
        "HDUCLASS": "GADF",
        "HDUCLAS1": "EVENTS",
        "OBS_ID": made.obs_id,
        "TELESCOP": "Simulated-CTAO",
        "INSTRUME": "CTAO-North",
        "OBJECT": "Source",
        "RA_OBJ": RA,
        "DEC_OBJ": made.target_dec,
        "RA_PNT": RA,
        "DEC_PNT": DEC + made.wobble_deg,
        "ALT_PNT": 70.0,
        "AZ_PNT": 180.0,
        "GEOLON": -17.89,
        "GEOLAT": 28.76,
        "ALTITUDE": 2184.0,
        "TSTART": 0.0,
        "TSTOP": made.seconds,
        "ONTIME": made.seconds,
        "LIVETIME": made.seconds,
        "DEADC": 1.0,
        "OBS_MODE": "POINTING",
        "RADECSYS": "ICRS",
        "EQUINOX": 2000.0,
    }


def _response(name: str, header: dict[str, Any], **columns: Any) -> fits.BinTableHDU:
    table = QTable(
        {column: np.asarray(value)[np.newaxis] * unit for column, (value, unit) in columns.items()}
    )
    hdu = fits.BinTableHDU(table, name=name)
    hdu.header.update({"HDUCLASS": "GADF", "HDUCLAS1": "RESPONSE", "HDUCLAS3": "FULL-ENCLOSURE", **header})
    return hdu


def _point_like(area: fits.BinTableHDU, dispersion: fits.BinTableHDU) -> list[fits.BinTableHDU]:
    """Give responses after the cut in direction."""
    low, high = EDGES_TEV[:-1], EDGES_TEV[1:]
    cut = cut_deg(np.sqrt(low * high))
    area.data["EFFAREA"] *= 1.0 - np.exp(-0.5 * (cut / PSF_DEG) ** 2)
    for hdu in (area, dispersion):
        hdu.header["HDUCLAS3"] = "POINT-LIKE"
    rad_max = _response(
        "RAD_MAX",
        {"HDUCLAS2": "RAD_MAX", "HDUCLAS4": "RAD_MAX_2D"},
        ENERG_LO=(low, u.TeV),
        ENERG_HI=(high, u.TeV),
        THETA_LO=([0.0], u.deg),
        THETA_HI=([2.0], u.deg),
        RAD_MAX=(cut[np.newaxis], u.deg),
    )
    rad_max.header["HDUCLAS3"] = "POINT-LIKE"
    return [area, dispersion, rad_max]


def _responses(made: Made) -> list[fits.BinTableHDU]:
    low, high = EDGES_TEV[:-1], EDGES_TEV[1:]
    shape = (1, low.size)
    axes = {
        "ENERG_LO": (low, u.TeV),
        "ENERG_HI": (high, u.TeV),
        "THETA_LO": ([0.0], u.deg),
        "THETA_HI": ([2.0], u.deg),
    }
    migration = np.linspace(0.4, 2.0, 81)
    middle = (migration[1:] + migration[:-1]) / 2.0
    density = np.exp(-0.5 * (np.log(middle) / RESOLUTION) ** 2) / (middle * RESOLUTION * np.sqrt(2.0 * np.pi))
    area = _response(
        "EFFECTIVE AREA",
        {"HDUCLAS2": "EFF_AREA", "HDUCLAS4": "AEFF_2D", "LO_THRES": 0.1, "HI_THRES": 20.0},
        **axes,
        EFFAREA=(np.full(shape, AREA_M2), u.m**2),
    )
    dispersion = _response(
        "ENERGY DISPERSION",
        {"HDUCLAS2": "EDISP", "HDUCLAS4": "EDISP_2D"},
        **{name: axes[name] for name in ("ENERG_LO", "ENERG_HI")},
        MIGRA_LO=(migration[:-1], u.one),
        MIGRA_HI=(migration[1:], u.one),
        **{name: axes[name] for name in ("THETA_LO", "THETA_HI")},
        MATRIX=(
            np.broadcast_to(density[np.newaxis, :, np.newaxis], (1, density.size, low.size)).copy(),
            u.one,
        ),
    )
    if made.point_like:
        return _point_like(area, dispersion)
    gaussians = {
        f"{kind}_{number}": (np.zeros(shape), unit)
        for number in (2, 3)
        for kind, unit in (("AMPL", u.one), ("SIGMA", u.deg))
    }
    scale = 1.0 / (2.0 * np.pi * np.radians(PSF_DEG) ** 2)
    psf = _response(
        "POINT SPREAD FUNCTION",
        {"HDUCLAS2": "RPSF", "HDUCLAS4": "PSF_3GAUSS"},
        **axes,
        SCALE=(np.full(shape, scale), u.sr**-1),
        SIGMA_1=(np.full(shape, PSF_DEG), u.deg),
        **gaussians,
    )
    return [area, dispersion, psf]


def write_event_list(path: Path, made: Made, *, leave_out: str = "") -> Path:
    """Write an event list with its responses; one part may be left out."""
    events = fits.BinTableHDU(_events(made), name="EVENTS")
    events.header.update(_header(made))
    intervals = fits.BinTableHDU(QTable({"START": [0.0] * u.s, "STOP": [made.seconds] * u.s}), name="GTI")
    intervals.header.update({**_TIME, "HDUCLAS1": "GTI"})
    hdus = [events, intervals, *_responses(made)]
    fits.HDUList([fits.PrimaryHDU(), *(hdu for hdu in hdus if hdu.name != leave_out)]).writeto(path)
    return path
