"""What a pilot run triggered on, read from its file of events, and the limits that follow."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from dpps.domain.steps import CorruptedInput, InsufficientStatistics, MissingInput
from dpps_simpipe.planning.limits import Limits, TriggeredEvents, derive_limits

__all__ = ["Pilot", "limits_of_pilot", "read_pilot_events"]

_NEAR: Final = 0.02
"""A limit so close to what was thrown (relative) is that of the pilot, not of the array."""
_SHOWERS: Final = "/simulation/event/subarray/shower"
_RUNS: Final = "/configuration/simulation/run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pilot:
    """A pilot run: its point, what it threw, what triggered.

    Attributes
    ----------
    path : Path
        Its file.
    primary : str
        Kind of particle.
    array_name : str
        Name of the array.
    zenith_deg, azimuth_deg : float
        Pointing in degrees; azimuth from North to East.
    energy_min_tev, energy_max_tev, core_distance_max_m, view_cone_max_deg : float
        Limits of what was thrown, in TeV, m and degrees.
    spectral_index : float
        Of the thrown spectrum.
    thrown : int
        Thrown events: showers with their uses.
    events : TriggeredEvents
        Truth of what triggered.
    """

    path: Path
    primary: str
    array_name: str
    zenith_deg: float
    azimuth_deg: float
    energy_min_tev: float
    energy_max_tev: float
    core_distance_max_m: float
    view_cone_max_deg: float
    spectral_index: float
    thrown: int
    events: TriggeredEvents


def read_pilot_events(path: Path) -> Pilot:
    """Read a pilot run.

    Parameters
    ----------
    path : Path
        HDF5 file in ctapipe's layout.

    Raises
    ------
    MissingInput
        When the file, or its simulation, is not there.
    CorruptedInput
        When it is no such file, or holds several primaries or pointings.
    """
    from ctapipe.instrument import SubarrayDescription
    from ctapipe.io import read_table
    from tables import HDF5ExtError, NoSuchNodeError

    if not path.is_file():
        raise MissingInput("the file is not there", "give the file of events of a pilot run", path=path)
    try:
        showers, runs = read_table(path, _SHOWERS), read_table(path, _RUNS)
        array_name = SubarrayDescription.from_hdf(path).name
    except NoSuchNodeError as error:
        raise MissingInput(
            "no simulated, triggered showers in it", "give the file of events of a pilot run", path=path
        ) from error
    except (HDF5ExtError, OSError) as error:
        raise CorruptedInput(
            "not an HDF5 file that can be read", "make or fetch it again", path=path
        ) from error
    zenith, azimuth = math.pi / 2 - _shared(path, runs, "max_alt"), _shared(path, runs, "max_az")
    return Pilot(
        path=path,
        primary=_primary(path, showers),
        array_name=array_name,
        zenith_deg=round(math.degrees(zenith), 6),
        azimuth_deg=round(math.degrees(azimuth) % 360.0, 6),
        energy_min_tev=float(runs["energy_range_min"].quantity.to_value("TeV").min()),
        energy_max_tev=float(runs["energy_range_max"].quantity.to_value("TeV").max()),
        core_distance_max_m=float(runs["max_scatter_range"].quantity.to_value("m").max()),
        view_cone_max_deg=float(runs["max_viewcone_radius"].quantity.to_value("deg").max()),
        spectral_index=_shared(path, runs, "spectral_index", ""),
        thrown=int(np.sum(runs["n_showers"] * runs["shower_reuse"])),
        events=_triggered(showers, zenith, azimuth),
    )


def _shared(path: Path, runs: Any, name: str, unit: str = "rad") -> float:
    """Give the value that all runs share."""
    values = runs[name].quantity.to_value(unit)
    if np.ptp(values) > 1e-6:
        raise CorruptedInput(f"its runs differ in {name}", "give one file for each kind of run", path=path)
    return float(values[0])


def _primary(path: Path, showers: Any) -> str:
    from dpps_simpipe.showers import PRIMARIES

    codes = set(np.unique(showers["true_shower_primary_id"]).tolist())
    names = [name for name, primary in PRIMARIES.items() if primary.code in codes]
    if len(codes) != 1 or len(names) != 1:
        raise CorruptedInput(
            f"it holds showers of the primaries {sorted(codes)}; one known primary is needed",
            "give the pilot runs of one primary",
            path=path,
        )
    return names[0]


def _triggered(showers: Any, zenith: float, azimuth: float) -> TriggeredEvents:
    """Give the truth of triggered events; such a file holds no others."""
    altitude, direction = (showers[name].quantity.to_value("rad") for name in ("true_alt", "true_az"))
    x, y = (showers[name].quantity.to_value("m") for name in ("true_core_x", "true_core_y"))
    # Axes of ctapipe's ground frame: x to the north, y to the west.
    along = x * np.cos(altitude) * np.cos(direction) - y * np.cos(altitude) * np.sin(direction)
    half = (
        np.sin((altitude + zenith - math.pi / 2) / 2) ** 2
        + np.cos(altitude) * math.sin(zenith) * np.sin((direction - azimuth) / 2) ** 2
    )
    return TriggeredEvents(
        energy_tev=showers["true_energy"].quantity.to_value("TeV"),
        core_distance_m=np.sqrt(np.maximum(x**2 + y**2 - along**2, 0.0)),
        offset_deg=np.round(np.degrees(2.0 * np.arcsin(np.sqrt(np.clip(half, 0.0, 1.0)))), 6),
    )


def limits_of_pilot(pilot: Pilot, *, fraction: float, nsb_level: float) -> Limits:
    """Derive limits within which a fraction of the triggered events lies, for each quantity.

    Parameters
    ----------
    pilot : Pilot
        The pilot.
    fraction : float
        Between 0 and 1, of the triggered events of the pilot's own spectrum.
    nsb_level : float
        Night-sky background in photons per cm², ns and sr.

    Raises
    ------
    InsufficientStatistics
        When too few events lie beyond a limit, or the pilot was thrown so narrowly that a limit is its own.
    """
    limits = derive_limits(
        pilot.events,
        primary=pilot.primary,
        array_name=pilot.array_name,
        zenith_deg=pilot.zenith_deg,
        azimuth_deg=pilot.azimuth_deg,
        nsb_level=nsb_level,
        fraction=fraction,
    )
    for what, reached in (
        (
            f"the energy limit {limits.energy_min_tev:.3g} TeV is where it begins",
            limits.energy_min_tev < pilot.energy_min_tev * (1.0 + _NEAR),
        ),
        (
            f"the core distance {limits.core_distance_max_m:.4g} m is where its cores end",
            limits.core_distance_max_m > pilot.core_distance_max_m * (1.0 - _NEAR),
        ),
        (
            f"the view cone {limits.view_cone_max_deg:.3g} deg is where its directions end",
            pilot.view_cone_max_deg > 0.0
            and limits.view_cone_max_deg > pilot.view_cone_max_deg * (1.0 - _NEAR),
        ),
    ):
        if reached:
            raise InsufficientStatistics(
                f"the pilot was thrown too narrowly: {what}",
                "throw a pilot over more, or ask for a smaller fraction",
                path=pilot.path,
            )
    return limits
