"""Atmosphere tables from files: CORSIKA's ``atmprof*.dat`` and the ECSV of CalibPipe and simtools."""

from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.table import Table

from dpps.domain.errors import DamagedFile, InvalidInput, NotFound
from dpps_simpipe.atmosphere.profile import Atmosphere
from dpps_simpipe.compiled import FloatArray

__all__ = ["read_atmosphere"]

#: CalibPipe's and simtools' names of columns, ours, and the unit we work in.
ECSV_COLUMNS = (
    (("altitude",), "altitude", u.m),
    (("atmospheric density", "density"), "density", u.g / u.cm**3),
    (("atmospheric thickness", "thickness"), "thickness", u.g / u.cm**2),
    (("refraction index - 1", "refractive_index"), "refractivity", u.dimensionless_unscaled),
)
#: Air's refractive index is nearer to 1 than this: more than it is an index, less a refractivity.
LARGEST_REFRACTIVITY = 0.5
NEXT_STEP = (
    "Give a CORSIKA atmprof table (km, g/cm^3, g/cm^2, n-1) or CalibPipe's or simtools' ECSV with units."
)


def read_atmosphere(path: Path) -> Atmosphere:
    """Read an atmosphere table.

    Parameters
    ----------
    path : Path
        ``*.ecsv`` of CalibPipe or simtools, or CORSIKA's table with altitude (km), density (g/cm³), thickness
        (g/cm²) and n-1 in columns.

    Returns
    -------
    Atmosphere
        The profile.

    Raises
    ------
    NotFound
        There is no such file.
    DamagedFile
        The file cannot be read as a table.
    InvalidInput
        A column is missing, has no or a wrong unit, or values that air does not have.
    """
    if not path.is_file():
        raise NotFound(
            f"atmosphere table {path} does not exist", code="simpipe.atmosphere-missing", path=path
        )
    columns = _read_ecsv(path) if path.suffix == ".ecsv" else _read_corsika(path)
    altitude, first = np.unique(columns["altitude"], return_index=True)
    if columns["thickness"][first[-1]] == 0.0:
        # CORSIKA's tables end at the top of the atmosphere, where nothing is above: no logarithm there.
        altitude, first = altitude[:-1], first[:-1]
    return Atmosphere(
        name=path.name,
        altitude=altitude,
        **{name: columns[name][first] for name in ("density", "thickness", "refractivity")},
    )


def _read_ecsv(path: Path) -> dict[str, FloatArray]:
    """Read a table with named columns and bring it to our units."""
    try:
        table = Table.read(path, format="ascii.ecsv")
    except (ValueError, OSError, UnicodeDecodeError) as error:
        raise _damaged(path, str(error)) from error
    columns: dict[str, FloatArray] = {}
    for names, ours, unit in ECSV_COLUMNS:
        theirs = next((name for name in names if name in table.colnames), names[0])
        columns[ours] = _column(table, path, theirs, unit)
    if columns["refractivity"].max() > LARGEST_REFRACTIVITY:
        columns["refractivity"] -= 1.0
    return columns


def _column(table: Table, path: Path, name: str, unit: u.UnitBase) -> FloatArray:
    """Give a column in our unit."""
    if name not in table.colnames:
        raise _invalid(path, name, "is missing")
    column = table[name]
    if column.unit is None and unit != u.dimensionless_unscaled:
        raise _invalid(path, name, f"has no unit ({unit} or one that converts to it)")
    try:
        values = u.Quantity(column, column.unit or unit).to_value(unit)
    except (u.UnitConversionError, TypeError) as error:
        raise _invalid(path, name, f"has unit {column.unit}, which is not {unit}") from error
    return np.array(values, dtype=float)


def _read_corsika(path: Path) -> dict[str, FloatArray]:
    """Read CORSIKA's table: four columns without units, by definition km, g/cm³, g/cm², 1."""
    try:
        values = np.loadtxt(path, comments="#", usecols=(0, 1, 2, 3), ndmin=2)
    except (ValueError, UnicodeDecodeError) as error:
        raise _damaged(path, str(error)) from error
    if values[-1, 0] > 1000.0:
        raise _invalid(path, "altitude", f"ends at {values[-1, 0]:.4g}: it must be in km")
    return {
        "altitude": values[:, 0] * 1e3,
        "density": values[:, 1],
        "thickness": values[:, 2],
        "refractivity": values[:, 3],
    }


def _damaged(path: Path, reason: str) -> DamagedFile:
    return DamagedFile(
        f"atmosphere table {path} cannot be read: {reason.splitlines()[0] if reason else 'no reason given'}",
        code="simpipe.atmosphere-unreadable",
        next_step=NEXT_STEP,
        path=path,
    )


def _invalid(path: Path, column: str, reason: str) -> InvalidInput:
    return InvalidInput(
        f"atmosphere table {path}: column {column!r} {reason}",
        code="simpipe.atmosphere-invalid",
        next_step=NEXT_STEP,
        path=path,
        column=column,
    )
