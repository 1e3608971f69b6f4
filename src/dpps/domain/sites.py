"""Where the telescopes are, where data are kept, and the sites that a new system knows."""

from __future__ import annotations

from dataclasses import dataclass
from math import asin, cos, radians, sin, sqrt

__all__ = ["DEFAULT_SITES", "StorageSite", "great_circle_km"]

_EARTH_RADIUS_KM = 6371.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageSite:
    """A site with one storage element, whose RSE has the same name."""

    name: str
    onsite: bool
    country: str
    """ISO 3166 alpha-2 code."""
    latitude_deg: float
    longitude_deg: float


DEFAULT_SITES: tuple[StorageSite, ...] = (
    StorageSite(name="CTAO-NORTH", onsite=True, country="ES", latitude_deg=28.7622, longitude_deg=-17.8920),
    StorageSite(name="CTAO-SOUTH", onsite=True, country="CL", latitude_deg=-24.6834, longitude_deg=-70.3163),
    StorageSite(name="CSCS", onsite=False, country="CH", latitude_deg=46.0244, longitude_deg=8.9603),
    StorageSite(name="DESY-ZEUTHEN", onsite=False, country="DE", latitude_deg=52.3459, longitude_deg=13.6330),
    StorageSite(name="FRASCATI", onsite=False, country="IT", latitude_deg=41.8230, longitude_deg=12.6740),
    StorageSite(name="PIC", onsite=False, country="ES", latitude_deg=41.5006, longitude_deg=2.1103),
)
"""The two array sites and the four off-site data centres of the observatory (seed 001)."""


def great_circle_km(here: tuple[float, float], there: tuple[float, float]) -> float:
    """Return the distance of two places on a spherical Earth, in kilometres (haversine formula).

    Parameters
    ----------
    here, there : tuple of float
        Latitude and longitude in degrees.
    """
    height = radians(there[0] - here[0])
    width = radians(there[1] - here[1])
    across = sin(height / 2) ** 2 + cos(radians(here[0])) * cos(radians(there[0])) * sin(width / 2) ** 2
    return 2 * _EARTH_RADIUS_KM * asin(min(1.0, sqrt(across)))
