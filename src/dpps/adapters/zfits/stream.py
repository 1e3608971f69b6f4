"""What a DL0 stream says of itself: its kind (``PBFHEAD``), blocks, telescopes and times."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dpps.adapters.zfits.cells import first_row
from dpps.domain.errors import DamagedFile
from dpps.domain.files import MetadataValue
from dpps.products.headers import metadata_of_header

__all__ = ["describe_stream"]


@dataclass(frozen=True, slots=True)
class _Kind:
    association: str
    data_type: str
    events: str
    """Table that the events are in, and whose end the stream's end is."""
    required: tuple[str, ...]
    """Published keys beyond those that all kinds have."""


_KINDS: Mapping[str, _Kind] = {
    "DL0v1.Telescope.DataStream": _Kind("Telescope", "AirShower", "Events", ()),
    "DL0v1.Subarray.DataStream": _Kind("Subarray", "Trigger", "SubarrayEvents", ("subarray_id",)),
    "DL0v1.Trigger.DataStream": _Kind("Subarray", "TelescopeTriggers", "Triggers", ("tel_ids",)),
}
_TOY_ORIGIN = "toy"
"""What the toy maker of SimPipe gives as the institution, so that its files are never taken for real."""
_REQUIRED = ("observatory", "start_time", "end_time", "sb_id", "obs_id")
_OF_PRODUCT = {
    "sb_id": "acquisition__sb_id",
    "obs_id": "instance__obs_id",
    "subarray_id": "instance__subarray_id",
    "start_time": "observation__coverage__time__t_min",
    "end_time": "observation__coverage__time__t_max",
}


def describe_stream(path: Path, tables: Mapping[str, Any]) -> dict[str, MetadataValue]:
    """Return flat metadata of a stream from its verified tables.

    Header keywords of the CTAO data model count first, then cells of the ``DataStream`` table.

    Raises
    ------
    DamagedFile
        When a needed table or required metadata are absent.
    """
    stream = tables.get("DataStream")
    kind = _KINDS.get(stream.header.get("PBFHEAD", "")) if stream is not None else None
    if stream is None or kind is None:
        raise _lacking(path, "a DataStream table of a DL0v1 kind")
    events = next((tables[name] for name in (kind.events, "Events") if name in tables), None)
    if events is None:
        raise _lacking(path, f"the table {kind.events}")
    known = metadata_of_header(stream.header) or metadata_of_header(tables["PRIMARY"].header)
    published = _published(stream, events, known)
    missing = [key for key in (*_REQUIRED, *kind.required) if published.get(key) is None]
    if missing:
        raise _lacking(path, f"the required metadata {', '.join(missing)}")
    return {
        "data__level": "DL0",
        "data__division": "Event",
        "data__association": kind.association,
        "data__type": kind.data_type,
        "creation_time": published["start_time"],
        "instance__facility_name": "CTAO",
        "model__name": str(stream.header["PBFHEAD"]),
        "model__version": str(stream.header.get("APISREV", "unknown")),
        **{key: published[name] for name, key in _OF_PRODUCT.items() if published.get(name) is not None},
        **_telescope(kind, published),
        **known,
        **published,
        "dpps__events": int(events.header.get("ZNAXIS2", events.header["NAXIS2"])),
        "dpps__toy": stream.header.get("ORIGIN") == _TOY_ORIGIN,
        "valid_fits_checksum": True,
    }


def _published(stream: Any, events: Any, known: Mapping[str, MetadataValue]) -> dict[str, MetadataValue]:
    cells = _cells(stream)
    tel_ids = cells.get("tel_ids") or cells.get("tel_id") or ()
    if not tel_ids and isinstance(number := known.get("instance__ae_id"), int):
        tel_ids = (number,)
    published: dict[str, MetadataValue] = {
        "observatory": stream.header.get("ORIGIN"),
        "start_time": _time(stream.header.get("DATE")),
        "end_time": _time(events.header.get("DATE-END", events.header.get("DATEEND"))),
        "tel_ids": list(tel_ids) or None,
    }
    for name in ("sb_id", "obs_id", "subarray_id"):
        cell = cells.get(name)
        published[name] = known.get(_OF_PRODUCT[name], cell[0] if cell else None)
    return {name: value for name, value in published.items() if value is not None}


def _cells(stream: Any) -> Mapping[str, tuple[int, ...]]:
    if not stream.header.get("ZTABLE"):
        return {}
    place = stream.fileinfo()
    with Path(place["file"].name).open("rb") as raw:
        raw.seek(place["datLoc"])
        data = raw.read(place["datSpan"])
    try:
        return first_row(stream.header, data)
    except (ValueError, struct.error, zlib.error) as wrong:
        raise ValueError(f"the DataStream table is malformed: {wrong}") from wrong


def _telescope(kind: _Kind, published: Mapping[str, MetadataValue]) -> dict[str, MetadataValue]:
    tel_ids = published.get("tel_ids")
    if kind.association != "Telescope" or not isinstance(tel_ids, list) or len(tel_ids) != 1:
        return {}
    return {"instance__ae_id": int(tel_ids[0]), "instance__ae_class": "TEL"}


def _time(text: object) -> str | None:
    """Return a FITS date in the canonical form of metadata."""
    if not isinstance(text, str):
        return None
    whole, _, fraction = text.removesuffix("Z").partition(".")
    return f"{whole}.{fraction.ljust(9, '0')[:9]}"


def _lacking(path: Path, what: str) -> DamagedFile:
    return DamagedFile(
        f"{path}: it lacks {what}",
        code="metadata-missing",
        next_step="have the acquisition write it again with complete metadata",
        path=path,
    )
