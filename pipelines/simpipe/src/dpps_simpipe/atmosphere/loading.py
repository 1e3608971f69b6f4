"""An atmosphere by its name or its file."""

import hashlib
from pathlib import Path

from dpps_simpipe.atmosphere.builtin import BUILT_IN, built_in_atmosphere
from dpps_simpipe.atmosphere.profile import Atmosphere
from dpps_simpipe.atmosphere.readers import read_atmosphere

__all__ = ["load_atmosphere", "table_checksum"]


def table_checksum(name: str) -> str | None:
    """Identify the content of a table of the atmosphere.

    Parameters
    ----------
    name : str
        As of `load_atmosphere`.

    Returns
    -------
    str or None
        SHA-256, hexadecimal; None where the name is not that of a file.
    """
    path = Path(name)
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


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
