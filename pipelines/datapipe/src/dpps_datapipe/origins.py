"""What events and responses were made with: identifiers that travel with them, and the array they are of.

Events with models applied hold the checksum of each model beside the table of what it predicted; a response
holds those of the event selection and of the models of its simulations in the header of its effective area,
and the telescopes of its array in the HDU ``ARRAY``.
"""

import gzip
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from dpps.domain.steps import CorruptedInput
from dpps_datapipe.steps.inputs import MODEL_ATTRIBUTE, EventFile, Telescope

__all__ = [
    "ARRAY",
    "Origins",
    "Place",
    "array_hdu",
    "check_one_set_of_models",
    "origins_of",
    "selection_checksum",
    "stamp_models",
    "write_origins",
]

#: Name of the HDU with the telescopes of a response.
ARRAY = "ARRAY"
_SELECTION = "CUTSHA"
_READ_BYTES = 1 << 20
_GZIP_SIGNATURE = b"\x1f\x8b"
#: Keywords of the names of reconstructions, by what they give.
_RECONSTRUCTIONS = {"energy": "RECENERG", "geometry": "RECGEOM", "gammaness": "RECGAMMA"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an array stands: degrees (longitude to the east), metres above sea level."""

    longitude_deg: float
    latitude_deg: float
    height_m: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Origins:
    """What a response was made with; empty or None: it does not say."""

    #: SHA-256 of the event selection, see `selection_checksum`.
    selection: str | None = None
    #: SHA-256 of the models, by what they predict (``energy/ExtraTreesRegressor``); None: not said.
    models: Mapping[str, str] | None = None
    #: Prefixes of columns, by energy, geometry and gammaness.
    reconstructions: Mapping[str, str] = field(default_factory=dict)
    #: Telescopes of the array by identifier.
    telescopes: Mapping[int, Telescope] = field(default_factory=dict)
    place: Place | None = None


def selection_checksum(path: Path) -> str:
    """Give the SHA-256 checksum of the content of an event selection, whether it is packed or not.

    Parameters
    ----------
    path : pathlib.Path
        FITS file, plain or gzipped.

    Returns
    -------
    str
        Hexadecimal.
    """
    total = hashlib.sha256()
    with path.open("rb") as stream:
        packed = stream.read(len(_GZIP_SIGNATURE)) == _GZIP_SIGNATURE
    with gzip.open(path) if packed else path.open("rb") as stream:
        while block := stream.read(_READ_BYTES):
            total.update(block)
    return total.hexdigest()


def stamp_models(path: Path, models: Mapping[str, str]) -> None:
    """Write the checksums of the models that were applied beside what they predicted.

    Parameters
    ----------
    path : pathlib.Path
        Events with models applied (HDF5 of ctapipe), changed in place.
    models : mapping of str to str
        SHA-256 by what the model predicts (``energy/ExtraTreesRegressor``).
    """
    import tables

    with tables.open_file(path, "r+") as file:
        for name, checksum in models.items():
            node = f"/dl2/event/subarray/{name}"
            if node in file.root:
                # The name of the table is in that of the attribute: readers join the attributes of tables.
                file.get_node(node)._v_attrs[f"{MODEL_ATTRIBUTE}{name.replace('/', '_')}"] = checksum


def check_one_set_of_models(files: Sequence[EventFile]) -> None:
    """Check that the same models were applied to files that are used together.

    Raises
    ------
    CorruptedInput
        If two files have predictions of other models.
    """
    for other in files[1:]:
        first = files[0]
        for name in sorted(set(first.models) | set(other.models)):
            if first.models.get(name) != other.models.get(name):
                raise CorruptedInput(
                    f"{name} is of the model {_short(other.models.get(name))}, in {first.path} of "
                    f"{_short(first.models.get(name))}",
                    path=other.path,
                    next_step="apply the same models to all files",
                )


def _short(checksum: str | None) -> str:
    return f"sha256:{checksum[:12]}" if checksum else "that the file does not name"


def write_origins(header: Any, origins: Origins) -> None:
    """Write into the header of an effective area, or of an event list, what it was made with.

    Parameters
    ----------
    header : astropy.io.fits.Header
        Changed in place.
    origins : Origins
        Without telescopes: these are a HDU of their own, see `array_hdu`.
    """
    if origins.selection is not None:
        # A checksum leaves no room for a comment.
        header[_SELECTION] = origins.selection
    for kind, prefix in origins.reconstructions.items():
        header[_RECONSTRUCTIONS[kind]] = (prefix, f"reconstruction: {kind}")
    if origins.models is not None:
        header["NMODELS"] = (len(origins.models), "models that were applied")
    for number, (name, checksum) in enumerate(sorted((origins.models or {}).items()), start=1):
        header[f"MODNAM{number}"] = name
        header[f"MODSHA{number}"] = checksum


def array_hdu(telescopes: Mapping[int, Telescope], place: Place | None) -> Any:
    """Make the HDU with the telescopes that a response is of.

    Parameters
    ----------
    telescopes : mapping of int to Telescope
        By identifier.
    place : Place or None
        Where the array stands.

    Returns
    -------
    astropy.io.fits.BinTableHDU
        Named `ARRAY`; positions in metres as in ctapipe's ground frame.
    """
    from astropy import units as u
    from astropy.io import fits
    from astropy.table import QTable

    rows = sorted(telescopes.items())
    table = QTable(
        {
            "TEL_ID": [tel_id for tel_id, _ in rows],
            "TYPE": [one.description for _, one in rows],
            **{
                name: [one.position_m[axis] for _, one in rows] * u.m
                for axis, name in enumerate(("POS_X", "POS_Y", "POS_Z"))
            },
        }
    )
    hdu = fits.BinTableHDU(table, name=ARRAY)
    if place is not None:
        hdu.header["GEOLON"] = (place.longitude_deg, "[deg] longitude, east positive")
        hdu.header["GEOLAT"] = (place.latitude_deg, "[deg] latitude")
        hdu.header["ALTITUDE"] = (place.height_m, "[m] above sea level")
    return hdu


def origins_of(path: Path, area: Any, array: Any) -> Origins:
    """Read what a response was made with.

    Parameters
    ----------
    path : pathlib.Path
        Named in errors.
    area : astropy.io.fits.Header
        Of the effective area.
    array : astropy.io.fits.BinTableHDU or None
        HDU `ARRAY`, where the response has one.

    Returns
    -------
    Origins

    Raises
    ------
    CorruptedInput
        If the telescopes do not read.
    """
    try:
        telescopes = {} if array is None else dict(map(_telescope, array.data))
        place = None if array is None else _place(array.header)
    except (KeyError, TypeError, ValueError) as error:
        raise CorruptedInput(f"HDU {ARRAY!r} does not read: {error}", path=path) from error
    return Origins(
        selection=area.get(_SELECTION),
        models=_models(area) if "NMODELS" in area else None,
        reconstructions={kind: str(area[key]) for kind, key in _RECONSTRUCTIONS.items() if key in area},
        telescopes=telescopes,
        place=place,
    )


def _models(header: Any) -> dict[str, str]:
    found = {}
    for number in count(1):
        if f"MODNAM{number}" not in header:
            break
        found[str(header[f"MODNAM{number}"])] = str(header.get(f"MODSHA{number}", ""))
    return found


def _telescope(row: Any) -> tuple[int, Telescope]:
    x, y, z = (float(row[name]) for name in ("POS_X", "POS_Y", "POS_Z"))
    return int(row["TEL_ID"]), Telescope(description=str(row["TYPE"]), position_m=(x, y, z))


def _place(header: Any) -> Place | None:
    if "GEOLON" not in header:
        return None
    return Place(
        longitude_deg=float(header["GEOLON"]),
        latitude_deg=float(header["GEOLAT"]),
        height_m=float(header["ALTITUDE"]),
    )
