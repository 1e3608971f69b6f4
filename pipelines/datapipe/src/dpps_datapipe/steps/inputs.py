"""Checks of event files before a step starts.

ctapipe itself refuses to merge files of other arrays or data models. It does not
name a truncated HDF5 file, ends with the same exit code whatever the reason, and
writes products without events: these are checked here.
"""

import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dpps.domain.steps import CorruptedInput, MissingInput

__all__ = [
    "MODEL_ATTRIBUTE",
    "EventFile",
    "Telescope",
    "check_calibration",
    "check_no_primary",
    "check_one_array",
    "check_one_kind",
    "check_primary",
    "other_telescopes",
    "read_event_file",
]

_LAYOUT = "/configuration/instrument/subarray/layout"
_TRIGGERS = "/dl1/event/subarray/trigger"
_TELESCOPE_TRIGGERS = "/dl1/event/telescope/trigger"
_RUNS = "/configuration/simulation/run"
_SHOWERS = "/simulation/event/subarray/shower"
_COEFFICIENTS = (
    "/dl1/monitoring/telescope/calibration/camera/coefficients",
    "/dl1/monitoring/telescope/camera/coefficients",
)
_DL2 = "/dl2/event/subarray"
#: Begins the attribute of a table of predictions that holds the checksum (SHA-256) of the model.
MODEL_ATTRIBUTE = "DPPS_MODEL_SHA256_"
_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
#: Descriptions of one array differ by less than this.
_SAME_PLACE_M = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Telescope:
    """A telescope of an array."""

    #: Kind of telescope, as ctapipe writes it.
    description: str
    #: On the ground, metres.
    position_m: tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFile:
    """What the checks need to know of an HDF5 event file."""

    path: Path
    n_events: int
    #: By identifier.
    telescopes: Mapping[int, Telescope]
    #: Identifiers of those that took events.
    active: frozenset[int]
    simulated: bool
    #: Identifiers of the simulated primaries; empty where the file does not have them.
    primaries: frozenset[int]
    #: Site and program settings that files of one production share.
    production: tuple[str, ...]
    #: SHA-256 of the models that were applied, by what they predict (``energy/ExtraTreesRegressor``), where
    #: the file says it.
    models: Mapping[str, str] = field(default_factory=dict)


def other_telescopes(telescopes: Mapping[int, Telescope], known: Mapping[int, Telescope]) -> list[str]:
    """Say which telescopes are not those that are known.

    Parameters
    ----------
    telescopes : mapping of int to Telescope
        To be compared.
    known : mapping of int to Telescope
        The array that is expected; it may have more telescopes.

    Returns
    -------
    list of str
        One reason for each telescope that is unknown, of another kind, or more
        than 1 m away from where it is expected.
    """
    reasons = []
    for tel_id, telescope in sorted(telescopes.items()):
        expected = known.get(tel_id)
        if expected is None:
            reasons.append(f"telescope {tel_id} ({telescope.description}) is unknown")
        elif expected.description != telescope.description:
            reasons.append(f"telescope {tel_id} is {telescope.description}, not {expected.description}")
        elif math.dist(expected.position_m, telescope.position_m) > _SAME_PLACE_M:
            distance = math.dist(expected.position_m, telescope.position_m)
            reasons.append(f"telescope {tel_id} stands {distance:.1f} m away")
    return reasons


def _open(path: Path) -> Any:
    """Open an HDF5 file; say in our words why it cannot be."""
    import tables

    if not path.is_file():
        raise MissingInput("the file is not there", path=path)
    with path.open("rb") as stream:
        if stream.read(len(_HDF5_SIGNATURE)) != _HDF5_SIGNATURE:
            raise CorruptedInput("not an HDF5 file", path=path, next_step="give a file that ctapipe wrote")
    try:
        return tables.open_file(path, mode="r")
    except (OSError, tables.HDF5ExtError) as error:
        raise CorruptedInput(
            "the HDF5 file is truncated or damaged: it does not open",
            path=path,
            next_step="compare its checksum and fetch it again",
        ) from error


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _production(file: Any) -> tuple[str, ...]:
    """Read what must be equal among files that are processed together."""
    if _RUNS not in file.root:
        return ()
    runs = file.root[_RUNS]
    names = [name for name in ("prod_site_alt", "corsika_version", "atmosphere") if name in runs.colnames]
    return tuple(f"{name}={_text(runs.col(name)[0])}" for name in names)


def _active(file: Any, telescopes: Mapping[int, Telescope]) -> frozenset[int]:
    """Telescopes in the table of their triggers; all of them where there is none."""
    if _TELESCOPE_TRIGGERS not in file.root:
        return frozenset(telescopes)
    return frozenset(int(tel_id) for tel_id in set(file.root[_TELESCOPE_TRIGGERS].col("tel_id").tolist()))


def _primaries(file: Any) -> frozenset[int]:
    name = "true_shower_primary_id"
    if _SHOWERS not in file.root or name not in file.root[_SHOWERS].colnames:
        return frozenset()
    return frozenset(int(one) for one in set(file.root[_SHOWERS].col(name).tolist()))


def _models(file: Any) -> dict[str, str]:
    """Read the checksums of the models beside their predictions."""
    if _DL2 not in file.root:
        return {}
    found = {}
    for kind in file.iter_nodes(_DL2, "Group"):
        for table in file.iter_nodes(kind, "Table"):
            name = f"{kind._v_name}/{table.name}"
            checksum = getattr(table.attrs, f"{MODEL_ATTRIBUTE}{name.replace('/', '_')}", None)
            if checksum is not None:
                found[name] = _text(checksum)
    return found


def _read(path: Path, file: Any) -> EventFile:
    if _LAYOUT not in file.root:
        raise MissingInput(
            f"no description of the telescopes ({_LAYOUT})", path=path, next_step="give a ctapipe event file"
        )
    layout = file.root[_LAYOUT]
    telescopes = {
        int(row["tel_id"]): Telescope(
            description=_text(row["tel_description"]),
            position_m=(float(row["pos_x"]), float(row["pos_y"]), float(row["pos_z"])),
        )
        for row in layout.iterrows()
    }
    n_events = file.root[_TRIGGERS].nrows if _TRIGGERS in file.root else 0
    return EventFile(
        path=path,
        n_events=int(n_events),
        telescopes=telescopes,
        active=_active(file, telescopes),
        simulated=_RUNS in file.root,
        primaries=_primaries(file),
        production=_production(file),
        models=_models(file),
    )


def read_event_file(path: Path, *, needs_events: bool = True) -> EventFile:
    """Read what the checks need of an HDF5 event file.

    Parameters
    ----------
    path : pathlib.Path
        DL1 or DL2 file of ctapipe.
    needs_events : bool
        Refuse a file without events.

    Returns
    -------
    EventFile

    Raises
    ------
    MissingInput
        If the file, its telescopes or (where needed) its events are not there.
    CorruptedInput
        If it is no HDF5 file, truncated or damaged.
    """
    import tables

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tables.NaturalNameWarning)
        with _open(path) as file:
            try:
                found = _read(path, file)
            except (tables.HDF5ExtError, KeyError) as error:
                raise CorruptedInput(f"a table does not read: {error}", path=path) from error
    if needs_events and found.n_events == 0:
        raise MissingInput("the file holds no event", path=path)
    return found


def check_one_array(files: Sequence[EventFile]) -> None:
    """Check that files belong together: one array, one production.

    Raises
    ------
    CorruptedInput
        If two files have other telescopes, or were simulated for another site or atmosphere.
    """
    if not files:
        return
    first = files[0]
    for other in files[1:]:
        reasons = other_telescopes(other.telescopes, first.telescopes)
        reasons += other_telescopes(first.telescopes, other.telescopes)
        if reasons:
            raise CorruptedInput(
                f"its array is not that of {first.path}: {'; '.join(reasons[:3])}",
                path=other.path,
                next_step="process the files of each array by themselves",
            )
        if first.simulated and other.simulated and other.production != first.production:
            raise CorruptedInput(
                f"simulated with {', '.join(other.production)}, but {first.path} with "
                f"{', '.join(first.production)}",
                path=other.path,
                next_step="process the files of each production by themselves",
            )


def check_calibration(path: Path, telescopes: Iterable[int]) -> None:
    """Check that a file of camera calibration has coefficients for every telescope.

    Parameters
    ----------
    path : pathlib.Path
        HDF5 file of camera calibration coefficients.
    telescopes : iterable of int
        Telescopes that are to be calibrated.

    Raises
    ------
    MissingInput
        If coefficients of a telescope are not in the file.
    """
    with _open(path) as file:
        found: set[int] = set()
        for group in _COEFFICIENTS:
            if group in file.root:
                found |= {int(node._v_name.removeprefix("tel_")) for node in file.list_nodes(group)}
    missing = sorted(set(telescopes) - found)
    if missing:
        raise MissingInput(
            f"no calibration coefficients for telescope {', '.join(map(str, missing))}",
            path=path,
            next_step="calibrate these cameras, or leave their streams out",
        )


def check_primary(file: EventFile, name: str, identifier: int) -> None:
    """Check that the simulated showers of a file are of one kind.

    Parameters
    ----------
    file : EventFile
        Not simulated, or without truth: nothing is checked.
    name, identifier : str, int
        The primary that is expected.

    Raises
    ------
    CorruptedInput
        If there are others.
    """
    others = sorted(file.primaries - {identifier})
    if others:
        raise CorruptedInput(
            f"its showers are not of {name}s: primaries {', '.join(map(str, others))}, not {identifier}",
            path=file.path,
            next_step=f"give simulated {name}s here",
        )


def check_no_primary(file: EventFile, name: str, identifier: int) -> None:
    """Check that no simulated shower of a file is of a kind.

    Raises
    ------
    CorruptedInput
        If there is one.
    """
    if identifier in file.primaries:
        raise CorruptedInput(
            f"it has showers of {name}s",
            path=file.path,
            next_step=f"give events without simulated {name}s here",
        )


def check_one_kind(files: Sequence[EventFile]) -> None:
    """Check that files are all simulated, of the same primaries, or all observed.

    Raises
    ------
    CorruptedInput
        If two files are of other kinds.
    """
    for other in files[1:]:
        if (other.simulated, other.primaries) != (files[0].simulated, files[0].primaries):
            raise CorruptedInput(
                f"holds {_kind_of(other)}, but {files[0].path} {_kind_of(files[0])}",
                path=other.path,
                next_step="merge files of one kind",
            )


def _kind_of(file: EventFile) -> str:
    if not file.simulated:
        return "observed events"
    primaries = ", ".join(map(str, sorted(file.primaries)))
    return f"simulated showers of primaries {primaries or 'that it does not name'}"
