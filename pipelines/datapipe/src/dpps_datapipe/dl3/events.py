"""Events of one observation block from a DL2 file, after the event selection."""

import operator
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from dpps.domain.steps import (
    ConfigurationError,
    CorruptedInput,
    InsufficientStatistics,
    MissingInput,
)
from dpps_datapipe.dl3.intervals import Floats
from dpps_datapipe.fits_files import check_fits
from dpps_datapipe.steps.inputs import EventFile, read_event_file

__all__ = ["Columns", "EventTable", "Observed", "read_events", "select_events"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Which reconstruction becomes the event list: prefixes of columns."""

    energy: str = "ExtraTreesRegressor"
    geometry: str = "HillasReconstructor"
    gammaness: str = "ExtraTreesClassifier"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventTable:
    """Reconstructed events: angles in degrees, energies in TeV, lengths in metres; shape ``(n,)``."""

    event_id: NDArray[np.int64]
    #: `astropy.time.Time`
    times: Any
    altitude: Floats
    azimuth: Floats
    energy: Floats
    gammaness: Floats
    multiplicity: NDArray[np.int64]
    core_x: Floats
    core_y: Floats

    def __len__(self) -> int:
        return len(self.event_id)

    def kept(self, chosen: NDArray[Any]) -> Self:
        """Give the events of a mask, or of indices in their order."""
        names = self.__dataclass_fields__
        return replace(self, **{name: getattr(self, name)[chosen] for name in names})


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What a DL2 file says of one observation block."""

    #: Its array and the models that were applied.
    file: EventFile
    obs_id: int
    #: With the columns of the selection's criteria.
    table: Any
    columns: Columns
    #: Observation block, one row.
    blocks: Any
    #: `astropy.coordinates.EarthLocation` or None where the file has none.
    location: Any

    @property
    def path(self) -> Path:
        """The file."""
        return self.file.path

    @property
    def simulated(self) -> bool:
        """Whether the events are simulated."""
        return self.file.simulated

    @property
    def telescopes(self) -> tuple[int, ...]:
        """Identifiers of the telescopes of the array."""
        return tuple(sorted(self.file.telescopes))

    @property
    def times(self) -> Any:
        """Times of all events (`astropy.time.Time`)."""
        return self.table["time"]


def _one_block(path: Path, blocks: Any, table: Any, obs_id: int | None) -> int:
    identifiers = [int(value) for value in np.unique(table["obs_id"])]
    if obs_id is None and len(identifiers) > 1:
        raise ConfigurationError(
            f"events of {len(identifiers)} observation blocks: {', '.join(map(str, identifiers[:5]))}",
            path=path,
            next_step="choose one with --obs-id",
        )
    wanted = identifiers[0] if obs_id is None else obs_id
    if wanted not in identifiers or wanted not in {int(value) for value in blocks["obs_id"]}:
        raise MissingInput(f"no events of observation block {wanted}", path=path)
    return wanted


def _needed(columns: Columns) -> dict[str, str]:
    """Columns that an event list needs, by what they are."""
    return {
        f"{columns.energy}_energy": "energy",
        f"{columns.gammaness}_prediction": "gammaness",
        f"{columns.geometry}_alt": "direction",
        f"{columns.geometry}_az": "direction",
    }


def _check_identifiers(path: Path, table: Any) -> None:
    """Check that an identifier names one event: times are found by it."""
    identifiers, times = np.unique(np.asarray(table["event_id"]), return_counts=True)
    if (times > 1).any():
        raise CorruptedInput(
            f"{(times > 1).sum()} identifiers are of several events each, for example "
            f"{identifiers[times > 1][0]} of {times[times > 1][0]}",
            path=path,
            next_step="give events that were merged once",
        )


def read_events(path: Path, columns: Columns, obs_id: int | None = None) -> Observed:
    """Read the events of one observation block.

    Parameters
    ----------
    path : pathlib.Path
        DL2 file with models applied (HDF5 of ctapipe).
    columns : Columns
        Which reconstruction to take.
    obs_id : int or None
        Observation block; needed where the file holds several.

    Returns
    -------
    Observed

    Raises
    ------
    MissingInput
        If the file, the block, or a reconstruction is not there.
    CorruptedInput
        If the file is truncated or no HDF5 file, or an identifier is of several events.
    """
    import tables
    from ctapipe.io import TableLoader

    known = read_event_file(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", tables.NaturalNameWarning)
            with TableLoader(path, dl2=True, simulated=False, observation_info=True) as loader:
                table = loader.read_subarray_events()
                blocks = loader.read_observation_information()
                location = loader.subarray.reference_location
    except (tables.HDF5ExtError, OSError) as error:
        raise CorruptedInput(f"the events do not read: {error}", path=path) from error
    missing = sorted({kind for name, kind in _needed(columns).items() if name not in table.colnames})
    if missing:
        raise MissingInput(
            f"no {', '.join(missing)} of the reconstruction {columns}",
            path=path,
            next_step="apply the models first, or name those that were applied",
        )
    wanted = _one_block(path, blocks, table, obs_id)
    table = table[table["obs_id"] == wanted]
    _check_identifiers(path, table)
    return Observed(
        file=known,
        obs_id=wanted,
        table=table,
        columns=columns,
        blocks=blocks[blocks["obs_id"] == wanted],
        location=location,
    )


def _multiplicity(table: Any, columns: Columns) -> NDArray[np.int64]:
    """The fewest telescopes of the reconstructions that are used, as in ctapipe's response."""
    prefixes = (columns.energy, columns.geometry, columns.gammaness)
    counts = [
        np.count_nonzero(table[f"{prefix}_telescopes"], axis=1)
        for prefix in prefixes
        if f"{prefix}_telescopes" in table.colnames
    ]
    return np.asarray(np.min(counts, axis=0) if counts else np.zeros(len(table)), dtype=np.int64)


def _values(observed: Observed, name: str, unit: str) -> Floats:
    """Give a column in a unit.

    Raises
    ------
    CorruptedInput
        If it has none, or one of another quantity.
    """
    from astropy.units import UnitsError

    try:
        return np.asarray(observed.table[name].quantity.to_value(unit), dtype=float)
    except UnitsError as error:
        written = observed.table[name].unit
        said = f"is in {written}" if written else "has no unit"
        raise CorruptedInput(
            f"the column {name} {said}, not in {unit}",
            path=observed.path,
            next_step="write it with its unit",
        ) from error


def _metres(observed: Observed, name: str) -> Floats:
    if name not in observed.table.colnames:
        return np.full(len(observed.table), np.nan)
    return _values(observed, name, "m")


def _event_table(observed: Observed) -> EventTable:
    table, columns = observed.table, observed.columns
    return EventTable(
        event_id=np.asarray(table["event_id"], dtype=np.int64),
        times=table["time"],
        altitude=_values(observed, f"{columns.geometry}_alt", "deg"),
        azimuth=_values(observed, f"{columns.geometry}_az", "deg"),
        energy=_values(observed, f"{columns.energy}_energy", "TeV"),
        gammaness=np.asarray(table[f"{columns.gammaness}_prediction"], dtype=float),
        multiplicity=_multiplicity(table, columns),
        core_x=_metres(observed, f"{columns.geometry}_core_x"),
        core_y=_metres(observed, f"{columns.geometry}_core_y"),
    )


def _cut(selection: Any, events: EventTable) -> NDArray[np.bool_]:
    """Apply the binned cuts in gammaness and multiplicity, as ctapipe does for the response."""
    from astropy import units as u
    from pyirf.cuts import evaluate_binned_cut

    energy = events.energy * u.TeV
    kept = evaluate_binned_cut(events.gammaness, energy, selection.gh_cuts, operator.ge)
    if selection.multiplicity_cuts is not None:
        kept &= evaluate_binned_cut(events.multiplicity, energy, selection.multiplicity_cuts, operator.ge)
    return np.asarray(kept)


def _read_selection(path: Path) -> Any:
    from ctapipe.irf import OptimizationResult

    if not path.is_file():
        raise MissingInput("the event selection is not there", path=path)
    check_fits(path)
    try:
        return OptimizationResult.read(path)
    except (OSError, KeyError, ValueError) as error:
        raise CorruptedInput(f"no event selection: {error}", path=path) from error


def select_events(observed: Observed, selection: Path | None) -> EventTable:
    """Keep the events that are reconstructed and pass the event selection.

    The cut in direction of a selection is not applied: it belongs to the
    analysis of a point source, and travels as ``RAD_MAX`` with its response.

    Parameters
    ----------
    observed : Observed
        The events.
    selection : pathlib.Path or None
        As ``ctapipe-optimize-event-selection`` writes it; None: all
        reconstructed events.

    Returns
    -------
    EventTable
        In order of time.

    Raises
    ------
    MissingInput, CorruptedInput
        If the selection is not there or does not read, or a column has not its unit.
    ConfigurationError
        If it was made for another classifier.
    InsufficientStatistics
        If no event is left.
    """
    events = _event_table(observed)
    kept = np.isfinite(events.energy) & np.isfinite(events.altitude) & np.isfinite(events.azimuth)
    kept &= events.energy > 0.0
    if selection is not None:
        cuts = _read_selection(selection)
        if cuts.clf_prefix != observed.columns.gammaness:
            raise ConfigurationError(
                f"made for the classifier {cuts.clf_prefix}, not {observed.columns.gammaness}",
                path=selection,
            )
        kept &= np.asarray(cuts.quality_query.get_table_mask(observed.table))
        kept &= _cut(cuts, events)
    chosen = events.kept(kept)
    if len(chosen) == 0:
        raise InsufficientStatistics(
            f"none of {len(events)} events passes the selection: the event list would be empty",
            path=observed.path,
            next_step="look at the event selection",
        )
    return chosen.kept(np.argsort(chosen.times.tai.mjd, kind="stable"))
