"""Limits worth throwing within, derived from the triggered events of a pilot that was thrown broadly.

The table has the columns of simtools' table of CORSIKA limits (``corsika_limits_table.schema.yml`` 0.1.0), so
that either side reads the other's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np
from astropy import units as u
from astropy.table import QTable
from numpy.typing import NDArray

from dpps.domain.steps import ConfigurationError, InsufficientStatistics
from dpps_simpipe.durable import put_in_place

__all__ = ["Limits", "TriggeredEvents", "derive_limits", "find_limits", "read_limits", "write_limits"]

_EVENTS_MIN: Final = 10
"""Triggered events of the pilot that must lie beyond a limit before it is believed to be one."""
_ANGLE_TOLERANCE_DEG: Final = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggeredEvents:
    """Truth of the triggered events of a pilot.

    Attributes
    ----------
    energy_tev : ndarray, shape (n,)
        True energies, in TeV.
    core_distance_m : ndarray, shape (n,)
        Distances of the shower cores from the middle of the array in the plane across the shower, in m.
    offset_deg : ndarray, shape (n,)
        Angles between showers and pointing, in degrees.
    """

    energy_tev: NDArray[np.float64]
    core_distance_m: NDArray[np.float64]
    offset_deg: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Within what showers are worth throwing, at one point of the grid."""

    primary: str
    array_name: str
    zenith_deg: float
    azimuth_deg: float
    nsb_level: float
    energy_min_tev: float
    core_distance_max_m: float
    view_cone_max_deg: float


def derive_limits(
    events: TriggeredEvents,
    *,
    primary: str,
    array_name: str,
    zenith_deg: float,
    azimuth_deg: float,
    nsb_level: float,
    fraction: float = 0.99,
) -> Limits:
    """Return the limits within which a fraction of the triggered events lies, for each of the three.

    Raises
    ------
    ConfigurationError
        When the fraction is not between 0 and 1.
    InsufficientStatistics
        When so few events lie beyond that the limit would be chance.
    """
    if not 0.0 < fraction < 1.0:
        raise ConfigurationError(
            f"a part {fraction:g} of the events cannot lie within limits",
            "give a fraction above 0 and below 1",
        )
    # As people write it: 1 - 0.9 is less than 0.1 in binary numbers.
    loss = 1 - Fraction(repr(fraction))
    number = len(events.energy_tev)
    if number * loss < _EVENTS_MIN:
        needed = math.ceil(_EVENTS_MIN / loss)
        raise InsufficientStatistics(
            f"the pilot has {number} triggered {primary} events: with a loss of {float(loss):g} a limit "
            f"would rest on {float(number * loss):.1f} events",
            f"throw a pilot with at least {needed} triggered events, or allow more loss",
        )
    return Limits(
        primary=primary,
        array_name=array_name,
        zenith_deg=zenith_deg,
        azimuth_deg=azimuth_deg,
        nsb_level=nsb_level,
        energy_min_tev=float(np.quantile(events.energy_tev, float(loss))),
        core_distance_max_m=float(np.quantile(events.core_distance_m, fraction)),
        view_cone_max_deg=float(np.quantile(events.offset_deg, fraction)),
    )


def write_limits(path: Path, limits: Sequence[Limits]) -> None:
    """Write a table of limits (ECSV)."""
    table = QTable(
        {
            "production_index": np.arange(len(limits), dtype=np.int64),
            "primary_particle": [one.primary for one in limits],
            "array_name": [one.array_name for one in limits],
            "zenith": [one.zenith_deg for one in limits] * u.deg,
            "azimuth": [one.azimuth_deg for one in limits] * u.deg,
            "nsb_level": [one.nsb_level for one in limits],
            "lower_energy_limit": [one.energy_min_tev for one in limits] * u.TeV,
            "upper_radius_limit": [one.core_distance_max_m for one in limits] * u.m,
            "viewcone_radius": [one.view_cone_max_deg for one in limits] * u.deg,
        }
    )
    unfinished = path.with_name(f"unfinished_{path.name}")
    table.write(unfinished, format="ascii.ecsv", overwrite=True)
    put_in_place(unfinished, path)


def read_limits(path: Path) -> list[Limits]:
    """Read a table of limits, of ours or of simtools.

    Raises
    ------
    ConfigurationError
        When columns or units are missing or wrong.
    """
    try:
        table = QTable.read(path, format="ascii.ecsv")
        return [
            Limits(
                primary=str(row["primary_particle"]),
                array_name=str(row["array_name"]),
                zenith_deg=float(row["zenith"].to_value(u.deg)),
                azimuth_deg=float(row["azimuth"].to_value(u.deg)),
                nsb_level=float(row["nsb_level"]),
                energy_min_tev=float(row["lower_energy_limit"].to_value(u.TeV)),
                core_distance_max_m=float(row["upper_radius_limit"].to_value(u.m)),
                view_cone_max_deg=float(row["viewcone_radius"].to_value(u.deg)),
            )
            for row in table
        ]
    except (OSError, ValueError, KeyError, AttributeError, TypeError, u.UnitConversionError) as wrong:
        raise ConfigurationError(
            f"{path} is no table of limits: {wrong}",
            "give ECSV with the columns of simtools' table of CORSIKA limits",
        ) from wrong


def find_limits(
    limits: Sequence[Limits],
    primary: str,
    array_name: str,
    zenith_deg: float,
    azimuth_deg: float,
    nsb_level: float,
) -> Limits:
    """Return the limits of one point; limits are never taken from another point.

    Raises
    ------
    ConfigurationError
        When the table has none for it, or several.
    """
    found = [
        one
        for one in limits
        if (one.primary, one.array_name.casefold()) == (primary, array_name.casefold())
        and abs(one.zenith_deg - zenith_deg) < _ANGLE_TOLERANCE_DEG
        and abs((one.azimuth_deg - azimuth_deg + 180.0) % 360.0 - 180.0) < _ANGLE_TOLERANCE_DEG
        and math.isclose(one.nsb_level, nsb_level, rel_tol=1e-6)
    ]
    if len(found) != 1:
        raise ConfigurationError(
            f"the table of limits has {len(found) or 'no'} rows for {primary} at {array_name}, zenith "
            f"{zenith_deg:g} deg, azimuth {azimuth_deg:g} deg, background {nsb_level:g}; one is needed",
            "throw a pilot there and add its limits, or plan without limits",
        )
    return found[0]
