"""The inspector of sim_telarray output: reads it to its end, checks it, says which run it is."""

from __future__ import annotations

import math
import struct
import uuid
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dpps.adapters.eventio.compression import FrameCheck
from dpps.data.fixity import local_error, read_content
from dpps.data.ports import Inspection
from dpps.domain.errors import DamagedFile
from dpps.domain.files import FileContent, MetadataValue
from dpps.products.derivation import time_text

__all__ = ["SimtelInspector", "pdg_id"]

_SUFFIXES = (".simtel", ".simtel.gz", ".simtel.zst")
_MESSENGERS = {22: "photon", 11: "electron", -11: "electron", 13: "muon", -13: "muon", 2212: "proton"}
_LEPTONS = {0: 22, 1: 11, -1: -11, 2: 13, -2: -13}
_MALFORMED = (
    ValueError, EOFError, struct.error, zlib.error, LookupError, ArithmeticError,
    NotImplementedError, RuntimeError,
)  # fmt: skip


@dataclass
class _Run:
    """What the objects of one file said."""

    header: dict[str, Any] = field(default_factory=dict)
    simulation: dict[str, Any] = field(default_factory=dict)
    primaries: set[int] = field(default_factory=set)
    tel_ids: list[int] = field(default_factory=list)
    showers: int = 0
    events: int = 0
    closed: bool = False
    """Whether the last object is the histograms."""
    end: int = 0
    """Number of the byte, uncompressed, behind the last object."""


class SimtelInspector:
    """Reads ``.simtel``, ``.simtel.gz`` and ``.simtel.zst``.

    The bytes are read once for checksum and compression frames, then the objects once from the page cache.
    """

    def accepts(self, path: Path) -> bool:
        """Tell by the name."""
        return path.name.endswith(_SUFFIXES)

    def inspect(self, path: Path) -> Inspection:
        """Read everything and extract the run's metadata.

        Raises
        ------
        DamagedFile
            When the file is empty, cut, corrupted, or no sim_telarray output.
        """
        frames = FrameCheck(str(path))
        content = read_content(path, frames.feed)
        frames.finish()
        if content.size_bytes == 0:
            raise _damaged(path, "it is empty")
        run = _read_run(path)
        if path.suffix == _SUFFIXES[0] and run.end != content.size_bytes:
            raise _damaged(path, f"its last object ends at byte {run.end} of {content.size_bytes}")
        _check_complete(path, run)
        return Inspection(content=content, metadata=_metadata(run, content))


def pdg_id(primary: int) -> int:
    """Return the PDG Monte Carlo number of a sim_telarray primary.

    sim_telarray counts 0 gamma, 1 electron, 2 muon (negative: antiparticle), 100 A + Z for a nucleus; the
    Monte Carlo numbering of a nucleus is 1000000000 + 10000 Z + 10 A, that of the proton 2212.
    """
    if primary in _LEPTONS:
        return _LEPTONS[primary]
    mass_number, charge = divmod(abs(primary), 100)
    if (mass_number, charge) == (1, 1):
        return 2212 if primary > 0 else -2212
    if not 0 < charge <= mass_number:
        raise ValueError(f"primary {primary} is unknown")
    return 1_000_000_000 + 10_000 * charge + 10 * mass_number


def _read_run(path: Path) -> _Run:
    import zstandard
    from eventio.exceptions import WrongType

    run = _Run()
    try:
        _take_all(run, path)
    except OSError as wrong:
        if wrong.errno is None:  # the gzip module's own complaint about the data
            raise _damaged(path, str(wrong)) from wrong
        raise local_error(wrong, path) from wrong
    except (*_MALFORMED, WrongType, zstandard.ZstdError) as wrong:
        raise _damaged(path, f"it cannot be read to its end: {wrong or type(wrong).__name__}") from wrong
    return run


def _take_all(run: _Run, path: Path) -> None:
    from eventio import EventIOFile

    with EventIOFile(str(path), zcat=False) as stream:
        for item in stream:
            _take(run, item)
            item.read()
            run.end = item.header.content_address + item.header.content_size
            if stream.tell() < run.end:
                raise EOFError("the file was cut")


def _take(run: _Run, item: Any) -> None:
    """Note what one object says."""
    from eventio.histograms import Histograms
    from eventio.simtel import objects as simtel

    if isinstance(item, simtel.RunHeader):
        run.header = item.parse()
        run.tel_ids = [int(tel_id) for tel_id in run.header["tel_id"]]
    elif isinstance(item, simtel.MCRunHeader):
        run.simulation = item.parse()
    elif isinstance(item, simtel.MCShower):
        run.showers += 1
        run.primaries.add(int(item.parse()["primary_id"]))
    run.events += isinstance(item, simtel.ArrayEvent)
    run.closed = isinstance(item, Histograms)


def _check_complete(path: Path, run: _Run) -> None:
    if not run.header or not run.simulation:
        raise _damaged(path, "it has no run header: it is no sim_telarray output")
    if run.closed:
        return
    # What sim_telarray writes ends with its histograms, calibration runs and runs that triggered nothing
    # included. Tools that extract calibration events from it write headers and events, no showers, no end.
    if run.showers > 0:
        announced = int(run.simulation["n_showers"])
        raise _damaged(
            path,
            f"it holds {run.showers} of {announced} showers and no histograms as its end: the file was cut",
        )
    if run.events == 0:
        raise _damaged(path, "nothing follows its headers, not even histograms as its end: the file was cut")


def _metadata(run: _Run, content: FileContent) -> dict[str, MetadataValue]:
    number = int(run.header["run"])
    started = datetime.fromtimestamp(int(run.header["time"]), UTC)
    version = str(int(run.simulation["detector_prog_vers"]))
    showers_seen = run.events > 0 and len(run.primaries) > 0
    flat: dict[str, MetadataValue] = {
        "description": f"sim_telarray run {number}",
        "data__level": "SIM",
        "data__division": "Event",
        "data__association": "Subarray",
        "data__type": "AirShowerSim" if showers_seen else "CalibrationSim",
        "instance__obs_id": number,
        "instance__facility_name": "Simulated-CTAO",
        "model__name": "sim_telarray",
        "model__version": version,
        "creation_time": time_text(started),
        "activity__process": "simulation",
        "activity__name": "sim_telarray",
        "activity__id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"sim_telarray:{number}:{content.adler32}")),
        "activity__start": time_text(started),
        "activity__software__name": "sim_telarray",
        "activity__software__version": version,
        "activity__configuration_id": f"inside the file: run {number}",
        "dpps__tel_ids": sorted(run.tel_ids),
        "dpps__events": run.events,
        "dpps__showers": run.showers,
        "dpps__valid_checksums": True,
    }
    if showers_seen:
        flat |= _particle(run)
    return flat | _direction(run)


def _particle(run: _Run) -> dict[str, MetadataValue]:
    energies = [round(float(energy), 6) for energy in run.simulation["E_range"]]
    facts: dict[str, MetadataValue] = {
        "dpps__energy_min_tev": energies[0],
        "dpps__energy_max_tev": energies[1],
    }
    if len(run.primaries) == 1:
        number = pdg_id(next(iter(run.primaries)))
        facts["instance__particle_pdgid"] = number
        facts["instance__messenger"] = _MESSENGERS.get(number, f"pdgid{number:+d}")
    return facts


def _direction(run: _Run) -> dict[str, MetadataValue]:
    if int(run.header["tracking_mode"]) != 0:
        return {}  # the telescopes followed the sky: there is no fixed direction
    azimuth, altitude = (math.degrees(float(angle)) for angle in run.header["direction"])
    return {
        "simulation__node__zenith": abs(round(90.0 - altitude, 3)),
        "simulation__node__azimuth": round(azimuth % 360.0, 3) % 360.0,
    }


def _damaged(path: Path, why: str) -> DamagedFile:
    return DamagedFile(
        f"{path}: {why}",
        code="file-damaged",
        next_step="hand it over again from its source",
        path=path,
    )
