"""Tables of the model, as ECSV files: mirror lists, efficiencies, pulse shapes, atmospheres."""

from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.table import Table

from dpps.domain.errors import DamagedFile, InvalidInput, NotFound
from dpps_simpipe.compiled import FloatArray
from dpps_simpipe.instrument.parameters.definitions import Column, Definition

__all__ = ["check_table", "column"]


def _refused(path: Path, reason: str) -> InvalidInput:
    return InvalidInput(
        f"{path}: {reason}",
        code="simpipe.table-invalid",
        next_step="Give an ECSV table with the columns and units of the parameter's definition.",
        path=path,
    )


def _read(path: Path) -> Table:
    if not path.is_file():
        raise NotFound(f"table {path} does not exist", code="simpipe.table-missing", path=path)
    if path.suffix != ".ecsv":
        raise _refused(path, "is no ECSV table by its name")
    try:
        return Table.read(path, format="ascii.ecsv")
    except (ValueError, UnicodeDecodeError, OSError) as error:
        raise DamagedFile(
            f"{path} is no ECSV table: {error}",
            code="simpipe.table-unreadable",
            next_step="Fetch it again, or write it with astropy.",
            path=path,
        ) from error


def column(path: Path, name: str, unit: str) -> FloatArray:
    """Read a column of a table.

    Parameters
    ----------
    path : Path
        ECSV file.
    name : str
        Column.
    unit : str
        Unit of the result; empty: a pure number.

    Returns
    -------
    array
        Values. Shape (n,).

    Raises
    ------
    InvalidInput
        There is no such column, it holds no finite numbers, or has a unit that does not convert.
    DamagedFile
        The file is no ECSV table.
    NotFound
        There is no such file.
    """
    return _values(_read(path), path, name, unit)


def _values(table: Table, path: Path, name: str, unit: str) -> FloatArray:
    if name not in table.colnames:
        raise _refused(path, f"no column {name}")
    found = table[name]
    if found.dtype.kind not in "fiu" or np.ma.is_masked(found) or not np.all(np.isfinite(found)):
        raise _refused(path, f"column {name} does not hold finite numbers")
    values = np.asarray(found, dtype=float)
    own = u.Unit(found.unit or "")
    if own == u.Unit(unit):
        return values
    try:
        return np.asarray((values * own).to_value(unit or u.dimensionless_unscaled))
    except u.UnitConversionError as error:
        raise _refused(
            path, f"column {name} has the unit {own or 'none'}, which does not convert to {unit or 'none'}"
        ) from error


def _check_column(table: Table, path: Path, wanted: Column) -> None:
    if wanted.name not in table.colnames:
        if wanted.required:
            raise _refused(path, f"no column {wanted.name}")
        return
    values = _values(table, path, wanted.name, wanted.unit)
    low, high = wanted.minimum, wanted.maximum
    if (low is not None and values.min() < low) or (high is not None and values.max() > high):
        raise _refused(
            path, f"column {wanted.name} has values outside of {low} to {high} {wanted.unit}".rstrip()
        )


def check_table(path: Path, definition: Definition) -> int:
    """Check a table against the definition of its parameter.

    Efficiencies, reflectivities and transmissions lie between 0 and 1, and wavelengths grow.

    Parameters
    ----------
    path : Path
        ECSV file.
    definition : Definition
        The parameter; one without columns is not checked.

    Returns
    -------
    int
        Rows.

    Raises
    ------
    InvalidInput
        Columns, units or values are wrong; names the column.
    DamagedFile
        The file is no ECSV table.
    NotFound
        There is no such file.
    """
    if not definition.columns:
        if not path.is_file():
            raise NotFound(f"{path} does not exist", code="simpipe.table-missing", path=path)
        return 0
    table = _read(path)
    if len(table) == 0:
        raise _refused(path, "the table is empty")
    for wanted in definition.columns:
        _check_column(table, path, wanted)
    for name in ("efficiency", "reflectivity", "transmission"):
        if any(one.name == name for one in definition.columns):
            values = _values(table, path, name, "")
            if values.min() < 0 or values.max() > 1:
                raise _refused(path, f"column {name} has values outside of 0 to 1")
    is_curve = {"incidence_angle", "altitude"}.isdisjoint(table.colnames)
    if "wavelength" in table.colnames and is_curve:
        steps = np.diff(_values(table, path, "wavelength", "nm"))
        if np.any(steps <= 0):
            raise _refused(path, "wavelengths do not grow")
    return len(table)
