"""What is written beside the streams of a block: truth, notes for DL3, manifest."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import astropy.units as u
import numpy as np
import yaml
from astropy.table import QTable

from dpps_simpipe import __version__
from dpps_simpipe.durable import put_in_place
from dpps_simpipe.instrument import Array
from dpps_simpipe.observation.description import Block, Night, Population
from dpps_simpipe.observation.recorded import Recorded
from dpps_simpipe.observation.sky import Horizon
from dpps_simpipe.observation.thrown import QUARTERS_PER_SECOND

__all__ = [
    "SITES",
    "cuts_of",
    "model_words",
    "spectrum_words",
    "write_json",
    "write_notes",
    "write_table",
    "write_truth",
]

#: Sites in the words of the data model, by those of the instrument model.
SITES = {"CTAO-NORTH": "CTAO-North", "CTAO-SOUTH": "CTAO-South"}


def _replace(path: Path, text: str) -> None:
    """Write a file that appears when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.part")
    unfinished.write_text(text, encoding="utf-8")
    put_in_place(unfinished, path)


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """Write a JSON document that appears when it is complete.

    Parameters
    ----------
    path : Path
        File.
    content : mapping
        Plain values.
    """
    _replace(path, json.dumps(content, indent=2) + "\n")


def write_table(path: Path, table: QTable, meta: Mapping[str, object]) -> None:
    """Write an ECSV table that appears when it is complete.

    Parameters
    ----------
    path : Path
        File.
    table : QTable
        Columns.
    meta : mapping
        Plain values.
    """
    table.meta = dict(meta)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.part")
    table.write(unfinished, format="ascii.ecsv", overwrite=True)
    put_in_place(unfinished, path)


def model_words(array: Array) -> dict[str, str]:
    """Name the instrument model of an array.

    Parameters
    ----------
    array : Array
        The array.

    Returns
    -------
    dict
        Version and checksum of all files of the model.
    """
    return {"version": array.version, "sha256": array.model_sha256}


def spectrum_words(population: Population) -> dict[str, object]:
    """Give a spectrum in plain values.

    Parameters
    ----------
    population : Population
        Whose.

    Returns
    -------
    dict
        Its form and parameters (flux in cm-2 s-1 TeV-1, of diffuse ones also sr-1), and its source.
    """
    spectrum = population.spectrum
    words: dict[str, object] = {"form": type(spectrum).__name__}
    words |= {name: getattr(spectrum, name) for name in type(spectrum).__slots__}  # type: ignore[attr-defined]
    if population.citation:
        words["citation"] = population.citation
    return words


def cuts_of(night: Night, block: Block, events: Recorded) -> list[str]:
    """Say what is missing from the block compared with a real one.

    Parameters
    ----------
    night : Night
        What is observed.
    block : Block
        One of its blocks.
    events : Recorded
        Its events.

    Returns
    -------
    list of str
        Sentences.
    """
    told = []
    if night.background is None:
        told.append("no cosmic rays: no background was asked for")
    else:
        part, cone = night.background.fraction, night.background.view_cone_deg
        told.append(f"cosmic rays: {part:g} of the real flux, within {cone:g} deg of the pointing")
    told.append("triggers by the night sky alone are not simulated")
    for index, one in enumerate(night.populations):
        told.append(
            f"{one.key}: {one.primary} from {one.energy_min_tev:g} to {one.energy_max_tev:g} TeV, cores "
            f"within {one.core_radius_m:g} m; {events.outer[index]} of {events.triggered[index]} triggers "
            "have their core in the outer tenth of that radius"
        )
    lost = int(events.triggered.sum()) - len(events.events)
    told.append(
        f"dead time: {lost} of {int(events.triggered.sum())} triggers lost in {block.duration_s:g} s, at the "
        "rate of what is thrown"
    )
    return told


def write_truth(path: Path, night: Night, block: Block, events: Recorded, array: Array) -> None:
    """Write what the recorded events truly are.

    Parameters
    ----------
    path : Path
        ECSV file.
    night : Night
        What is observed.
    block : Block
        One of its blocks.
    events : Recorded
        Its events.
    array : Array
        The telescopes.
    """
    rows = events.events
    seconds = rows["time"] / QUARTERS_PER_SECOND
    ra, dec = Horizon.of(array, block.start).to_sky(rows["altitude"], rows["azimuth"], seconds)
    primaries = np.array([one.primary for one in night.populations])
    table = QTable(
        {
            "event_id": np.arange(1, len(rows) + 1),
            "time": seconds * u.s,
            "primary": primaries[rows["population"]],
            "true_energy": rows["energy_tev"] * u.TeV,
            "true_alt": np.degrees(rows["altitude"]) * u.deg,
            "true_az": np.degrees(rows["azimuth"]) * u.deg,
            "true_ra": ra * u.deg,
            "true_dec": dec * u.deg,
            "true_core_x": rows["core_x"] * u.m,
            "true_core_y": rows["core_y"] * u.m,
            "true_h_first_int": rows["first_interaction"] * u.m,
            "true_x_max": rows["depth_of_maximum"] * u.g / u.cm**2,
        }
        | {
            f"true_pe_tel_{one.tel_id:03d}": events.true_pe[:, index]
            for index, one in enumerate(array.telescopes)
        }
    )
    meta = {
        "description": "truth of the recorded events; time: TAI seconds after the start, passage of the core",
        "generator": f"dpps-simpipe {__version__}",
        "seed": night.seed,
        "obs_id": block.obs_id,
        "instrument_model": model_words(array),
        "start_utc": f"{block.start:%Y-%m-%dT%H:%M:%SZ}",
        "background_fraction": night.background.fraction if night.background else 0.0,
        "spectra": {one.key: spectrum_words(one) for one in night.populations},
        "cuts": cuts_of(night, block, events),
    }
    write_table(path, table, meta)


def write_notes(path: Path, night: Night, block: Block, array: Array) -> None:
    """Write what the event list of the block needs and its events do not say.

    Parameters
    ----------
    path : Path
        YAML file, for ``dpps-datapipe make-dl3 --observation``.
    night : Night
        What is observed.
    block : Block
        One of its blocks.
    array : Array
        The telescopes.
    """
    stop = block.start + timedelta(seconds=block.duration_s)
    notes = {
        "obs_id": block.obs_id,
        "site": SITES[array.site],
        "target": {
            "name": night.target.name,
            "ra_deg": night.target.direction.ra_deg,
            "dec_deg": night.target.direction.dec_deg,
        },
        "pointing": {"ra_deg": block.pointing.ra_deg, "dec_deg": block.pointing.dec_deg},
        "start": block.start.astimezone(UTC).isoformat(),
        "stop": _utc(stop).isoformat(),
        "dead_time": {"per_event_s": night.dead_time_s},
        "simulated_observation": True,
        "instrument_model": model_words(array),
    }
    _replace(path, yaml.safe_dump(notes, sort_keys=False))


def _utc(time: datetime) -> datetime:
    return time.astimezone(UTC)
