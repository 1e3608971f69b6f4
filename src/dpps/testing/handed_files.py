"""Small valid files of the kinds that are handed over, made without the programs that write them."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

__all__ = ["announce", "make_housekeeping", "make_raw_stream", "make_simtel"]

_SYNC = b"\x37\x8a\x1f\xd4"
_RUN_HEADER, _SIMULATION_HEADER, _SHOWER, _EVENT, _ARRAY_EVENT, _HISTOGRAMS = (
    2000,
    2001,
    2020,
    2021,
    2010,
    100,
)
_EVENT_STREAMS = {
    "Telescope": ("Telescope", "AirShower", "Events"),
    "Subarray": ("Subarray", "Trigger", "SubarrayEvents"),
    "Trigger": ("Subarray", "TelescopeTriggers", "Triggers"),
}
"""Association, data type and table of events of each kind of stream."""
_MOMENT = datetime(2026, 2, 14, 21, 30, tzinfo=UTC)


def announce(path: Path) -> Path:
    """Place the trigger beside a file, as the acquisition system does."""
    trigger = path.with_name(f"{path.name}.trigger")
    trigger.symlink_to(path.name)
    return trigger


def make_simtel(
    path: Path,
    *,
    run: int = 10,
    primary: int = 0,
    showers: int = 3,
    events: int = 2,
    zenith_deg: float = 20.0,
    azimuth_deg: float = 180.0,
    closed: bool = True,
    payload: bytes = b"\0" * 64,
) -> Path:
    """Write a sim_telarray file with the objects that say what it is; compressed as its name says.

    Parameters
    ----------
    path : Path
        Ends with ``.simtel``, ``.simtel.gz`` or ``.simtel.zst``.
    run, primary, showers, events : int
        Run number, primary in sim_telarray's counting, number of showers and of triggered events.
    zenith_deg, azimuth_deg : float
        Pointing.
    closed : bool
        Whether the histograms that end a file are there.
    payload : bytes
        Content of the events, which nothing interprets.
    """
    import numpy as np

    altitude, azimuth = np.deg2rad(90.0 - zenith_deg), np.deg2rad(azimuth_deg)
    simulation = struct.pack(
        "<6ifiii2f2f2fi2f2f5f4i3f2i",
        *(1, 7690, 1700000000, 1, 1700000001, 1700000002),
        *(2200.0, showers, 1, 1, 0.0, 500.0),
        *(altitude, altitude, azimuth, azimuth, 0, 0.0, 0.0, 0.03, 10.0),
        *(-2.0, 38.0, 0.6, 0.1, -1.0),
        *(99, 187, 2, 3),
        *(5.0, 250.0, 700.0),
        *(0, 303),
    )
    parts = [_item(_RUN_HEADER, 2, run, _run_header(run, altitude, azimuth))]
    parts.append(_item(_SIMULATION_HEADER, 4, run, simulation))
    for number in range(1, showers + 1):
        shower = struct.pack("<i9fh", primary, 1.0, azimuth, altitude, 0.0, 2e4, 300.0, 8e3, 300.0, 300.0, 0)
        parts.append(_item(_SHOWER, 1, number, shower))
        parts.append(_item(_EVENT, 1, 100 * number, payload))
    parts += [_item(_ARRAY_EVENT, 0, number, payload) for number in range(events)]
    if closed:
        parts.append(_item(_HISTOGRAMS, 2, 0, payload))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_compressed(path, b"".join(parts)))
    return path


def make_raw_stream(
    path: Path,
    *,
    obs_id: int = 2000000200,
    sb_id: int = 2000000066,
    tel_id: int = 1,
    events: int = 5,
    kind: str = "Telescope",
) -> Path:
    """Write a DL0 stream of events: checksummed tables with the keywords of the data model.

    Parameters
    ----------
    path : Path
        Ends with ``.fits.fz``.
    obs_id, sb_id, tel_id : int
        What the file says of itself.
    events : int
        Rows of the table of events.
    kind : str
        ``Telescope``, ``Subarray`` or ``Trigger``.
    """
    import numpy as np
    from astropy.io import fits

    association, data_type, name = _EVENT_STREAMS[kind]
    told = {
        "PBFHEAD": f"DL0v1.{kind}.DataStream",
        "DATE": "2026-02-14T21:30:00",
        **_product("Event", association, data_type),
        "OBS_ID": obs_id,
        "SB_ID": sb_id,
        "AE_ID": tel_id,
        "AE_CLASS": "TEL",
    }
    if kind == "Subarray":
        told["SUB_ID"] = 1
    stream = _table("DataStream", np.array([tel_id], dtype="i4"))
    for keyword, value in told.items():
        stream.header[keyword] = value
    table = _table(name, np.arange(events, dtype="i4"))
    table.header["DATE-END"] = "2026-02-14T21:31:00.5"
    path.parent.mkdir(parents=True, exist_ok=True)
    fits.HDUList([fits.PrimaryHDU(), stream, table]).writeto(path, checksum=True)
    return path


def make_housekeeping(path: Path, *, division: str = "Monitoring", sb_id: int = 2000000066) -> Path:
    """Write a file of monitoring or service data: no events, described by product keywords alone.

    Parameters
    ----------
    path : Path
        Ends with ``.fits`` or ``.fits.fz``.
    division : str
        ``Monitoring`` or ``Service``.
    sb_id : int
        Scheduling block.
    """
    import numpy as np
    from astropy.io import fits

    primary = fits.PrimaryHDU()
    told = {
        **_product(division, "Array", {"Monitoring": "Weather", "Service": "MidTermSchedule"}[division]),
        "TSTART": "2026-02-14T21:00:00",
        "TSTOP": "2026-02-14T22:00:00",
        "SB_ID": sb_id,
    }
    for keyword, value in told.items():
        primary.header[keyword] = value
    table = _table("Samples", np.arange(7, dtype="i4"))
    path.parent.mkdir(parents=True, exist_ok=True)
    fits.HDUList([primary, table]).writeto(path, checksum=True)
    return path


def _product(division: str, association: str, data_type: str) -> dict[str, str | int]:
    return {
        "ORIGIN": "CTAO",
        "CTAOMETA": "2.1.0",
        "TITLE": "Raw data for tests",
        "DATALEVL": "DL0",
        "DATADIV": division,
        "DATAASSO": association,
        "DATATYPE": data_type,
        "DATAID": "788d3c1a-2112-423e-aec9-bfb48c8c7dde",
        "MODEL": "DL0",
        "MODELVER": "1",
        "CREATED": "2026-02-14T21:30:00",
        "AUTHOR": "nobody",
        "EMAIL": "nobody@example.org",
        "LICENSE": "CC-BY-SA-4.0",
    }


def _table(name: str, values: Any) -> Any:
    from astropy.io import fits

    table = fits.BinTableHDU.from_columns([fits.Column(name="value", format="J", array=values)])
    table.header["EXTNAME"] = name  # the constructor would write it in capitals
    return table


def _run_header(run: int, altitude: float, azimuth: float) -> bytes:
    import numpy as np
    from eventio.simtel.runheader_dtypes import build_dtype_part1, build_dtype_part2

    first = np.zeros(1, dtype=build_dtype_part1(2))
    first["run"], first["time"], first["n_telescopes"] = run, int(_MOMENT.timestamp()), 2
    first["direction"] = (azimuth, altitude)
    second = np.zeros(1, dtype=build_dtype_part2(2, 2))
    second["tel_id"] = (1, 2)
    names = b"".join(struct.pack("<h", len(text)) + text for text in (b"target", b"observer"))
    return first.tobytes() + second.tobytes() + names


def _item(kind: int, version: int, number: int, content: bytes) -> bytes:
    return _SYNC + struct.pack("<IiI", kind | version << 20, number, len(content)) + content


def _compressed(path: Path, content: bytes) -> bytes:
    if path.suffix == ".gz":
        import gzip

        return gzip.compress(content, mtime=0)
    if path.suffix == ".zst":
        import zstandard

        return zstandard.ZstdCompressor(write_checksum=True).compress(content)
    return content
