"""The molecular atmosphere: density, refraction and extinction."""

from dpps_simpipe.atmosphere.builtin import BUILT_IN, built_in_atmosphere
from dpps_simpipe.atmosphere.extinction import Aerosol, transmission
from dpps_simpipe.atmosphere.loading import load_atmosphere, table_checksum
from dpps_simpipe.atmosphere.profile import Air, Atmosphere
from dpps_simpipe.atmosphere.readers import read_atmosphere

__all__ = [
    "BUILT_IN",
    "Aerosol",
    "Air",
    "Atmosphere",
    "built_in_atmosphere",
    "load_atmosphere",
    "read_atmosphere",
    "table_checksum",
    "transmission",
]
