"""A hand-over folder in the form of the telescopes' acquisition system (ACADA).

Data files come first, complete and flushed to disk, under their final name; the
trigger links that say "this file is ready" come last.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dpps_simpipe import __version__
from dpps_simpipe.streams import ArrayStream, Layout, link_triggers
from dpps_simpipe.toy.observation import LABEL, ToyError, ToyObservation, observation_of_seed
from dpps_simpipe.toy.showers import ShowerImager, ToyShower, draw_showers
from dpps_simpipe.toy.streams import (
    SubarrayEvent,
    TelescopeEvent,
    stream_block,
    write_array_stream,
    write_telescope_stream,
)

__all__ = ["HandOver", "make_hand_over"]

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOver:
    """What was written."""

    observation: ToyObservation
    n_events: int
    #: Data files, subarray stream first.
    files: tuple[Path, ...]
    #: Trigger links, one for each data file.
    triggers: tuple[Path, ...]
    #: True directions, cores and energies (ECSV), outside the tree of data.
    truth: Path


def _subarray_events(
    showers: Sequence[ToyShower], telescopes: dict[int, list[TelescopeEvent]]
) -> list[SubarrayEvent]:
    """Collect which telescopes saw each shower; a shower that none saw is left out."""
    seen: dict[int, list[int]] = {}
    for tel_id, events in sorted(telescopes.items()):
        for event in events:
            seen.setdefault(event.event_id, []).append(tel_id)
    return [
        SubarrayEvent(
            event_id=shower.event_id,
            after_start_nanoseconds=shower.after_start_nanoseconds,
            tel_ids=tuple(seen[shower.event_id]),
        )
        for shower in showers
        if shower.event_id in seen
    ]


def _write_truth(path: Path, observation: ToyObservation, showers: Sequence[ToyShower]) -> None:
    """Write the true values, labelled."""
    from astropy.table import Table

    # Names and units of the simulated quantities in ctapipe's tables.
    rows = [
        {
            "obs_id": observation.obs_id,
            "event_id": shower.event_id,
            "true_energy": shower.energy_tev,
            "true_alt": shower.altitude_deg,
            "true_az": shower.azimuth_deg,
            "true_core_x": shower.core_x_m,
            "true_core_y": shower.core_y_m,
        }
        for shower in showers
    ]
    units = {
        "true_energy": "TeV",
        "true_alt": "deg",
        "true_az": "deg",
        "true_core_x": "m",
        "true_core_y": "m",
    }
    table = Table(rows=rows, units=units)
    table.meta = {
        "label": LABEL,
        "description": f"{LABEL} showers: true values; energies are labels, no physics",
        "seed": observation.seed,
        "sb_id": observation.sb_id,
        "obs_id": observation.obs_id,
        "pointing_altitude_deg": observation.pointing_altitude_deg,
        "pointing_azimuth_deg": observation.pointing_azimuth_deg,
        "generator": f"dpps-simpipe {__version__}",
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    table.write(path, format="ascii.ecsv", overwrite=True)


def make_hand_over(output: Path, *, n_events: int, seed: int, scope: str = "acada") -> HandOver:
    """Write a toy observation of the four LSTs of CTAO-North.

    Parameters
    ----------
    output : pathlib.Path
        Hand-over folder; the data go to ``<output>/ctao/<scope>/DL0/...``, the
        truth to ``<output>/truth/``.
    n_events : int
        Number of showers, at least 1.
    seed : int
        The same seed gives the same files; other seeds other identifiers.
    scope : str
        Second component of the logical file names.

    Returns
    -------
    HandOver

    Raises
    ------
    ToyError
        If an argument is out of range.
    InvalidInput
        If the scope is no name.
    Conflict
        If a file exists.
    """
    if n_events < 1:
        raise ToyError(f"{n_events} events asked for: ask for at least one")
    observation = observation_of_seed(seed)
    folders = Layout(output=output, scope=scope, block=stream_block(observation))
    showers = draw_showers(observation, n_events)
    telescopes = ShowerImager(observation).telescope_events(showers)
    array_events = _subarray_events(showers, telescopes)
    kinds: tuple[ArrayStream, ...] = ("SUBARRAY", "TEL")
    files = [
        write_array_stream(folders.array_file(kind), kind, observation=observation, events=array_events)
        for kind in kinds
    ]
    for tel_id, events in telescopes.items():
        path = folders.telescope_file(tel_id, f"LSTN-{tel_id:02d}")
        files.append(write_telescope_stream(path, tel_id=tel_id, observation=observation, events=events))
        _LOGGER.info("%s stream of LST %d: %d events", LABEL, tel_id, len(events))
    truth = output / "truth" / "truth.ecsv"
    _write_truth(truth, observation, showers)
    return HandOver(
        observation=observation,
        n_events=len(array_events),
        files=tuple(files),
        triggers=link_triggers(files),
        truth=truth,
    )
