"""An atmosphere by its name or its file."""

from pathlib import Path

from dpps_simpipe.atmosphere.builtin import BUILT_IN, built_in_atmosphere
from dpps_simpipe.atmosphere.profile import Atmosphere
from dpps_simpipe.atmosphere.readers import read_atmosphere

__all__ = ["load_atmosphere"]


def load_atmosphere(name: str) -> Atmosphere:
    """Make a built-in profile or read one.

    Parameters
    ----------
    name : str
        One of `BUILT_IN`, or the path of a table.

    Returns
    -------
    Atmosphere
        Profile.

    Raises
    ------
    NotFound
        There is no such file.
    DamagedFile
        The file cannot be read as a table.
    InvalidInput
        A column is missing, or has a wrong unit or value.
    """
    return built_in_atmosphere(name) if name in BUILT_IN else read_atmosphere(Path(name))
