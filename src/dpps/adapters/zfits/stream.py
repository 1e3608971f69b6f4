"""What a raw file says of itself: its kind, blocks, telescopes and times.

Event streams are known by the keyword ``PBFHEAD`` of their ``DataStream`` table. Every other stream, such as
those of monitoring and service data, says what it is by the product keywords of the CTAO data model
(``CTAOMETA`` and its companions), in the first header that has them; event streams may have them too.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dpps.adapters.zfits.cards import CardValue
from dpps.adapters.zfits.cells import first_row
from dpps.adapters.zfits.units import Unit
from dpps.domain.errors import DamagedFile
from dpps.domain.files import MetadataValue
from dpps.products.headers import metadata_of_header

__all__ = ["Stream", "describe_stream"]


@dataclass(frozen=True, slots=True)
class Stream:
    """The verified tables of a file that is open."""

    units: Sequence[Unit]
    rows: Mapping[int, int]
    """Rows of each table, by its number."""
    descriptor: int

    def table(self, *names: str) -> Unit | None:
        """Return the first table that has one of the names, tried in order."""
        return next((unit for name in names for unit in self.units if unit.name == name), None)


@dataclass(frozen=True, slots=True)
class _Kind:
    association: str
    data_type: str
    events: str
    """Table that the events are in, and whose end the stream's end is."""
    required: tuple[str, ...]
    """Published keys beyond those that all event streams have."""


_KINDS: Mapping[str, _Kind] = {
    "DL0v1.Telescope.DataStream": _Kind("Telescope", "AirShower", "Events", ()),
    "DL0v1.Subarray.DataStream": _Kind("Subarray", "Trigger", "SubarrayEvents", ("subarray_id",)),
    "DL0v1.Trigger.DataStream": _Kind("Subarray", "TelescopeTriggers", "Triggers", ("tel_ids",)),
}
_RAW_LEVEL = "DL0"
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
_ROW_BYTES_MAX = 1024 * 1024


def describe_stream(path: Path, stream: Stream) -> dict[str, MetadataValue]:
    """Return flat metadata of a stream.

    Header keywords of the CTAO data model count first, then cells of the ``DataStream`` table.

    Raises
    ------
    DamagedFile
        When a needed table or required metadata are absent, or those there are not of raw data.
    """
    known = _product(path, stream.units)
    table = stream.table("DataStream")
    kind = _KINDS.get(str(table.cards.get("PBFHEAD", ""))) if table is not None else None
    if table is not None and kind is not None:
        return _event_stream(path, stream, table, kind, known)
    if not known:
        raise _lacking(path, "a DataStream table of a DL0v1 kind, and product keywords (CTAOMETA) too")
    return {**known, **_published_of_product(stream.units, known), "valid_fits_checksum": True}


def _product(path: Path, units: Sequence[Unit]) -> dict[str, MetadataValue]:
    """Return the product metadata of the first header that has them; empty when none has."""
    from astropy.io.fits import Header

    unit = next((one for one in units if "CTAOMETA" in one.cards), None)
    if unit is None:
        return {}
    known = metadata_of_header(Header.fromstring(unit.header))
    if known["data__level"] != _RAW_LEVEL:
        raise DamagedFile(
            f"{path}: {unit} says that it is {known['data__level']}; raw data are {_RAW_LEVEL}",
            code="metadata-contradicts",
            next_step=f"have it written with {_RAW_LEVEL} metadata, or publish it as a derived product",
            path=path,
        )
    return known


def _event_stream(
    path: Path, stream: Stream, table: Unit, kind: _Kind, known: Mapping[str, MetadataValue]
) -> dict[str, MetadataValue]:
    events = stream.table(kind.events, "Events")
    if events is None:
        raise _lacking(path, f"the table {kind.events}")
    published = _published(stream, table, events, known)
    missing = [key for key in (*_REQUIRED, *kind.required) if published.get(key) is None]
    if missing:
        raise _lacking(path, f"the required metadata {', '.join(missing)}")
    return {
        "data__level": _RAW_LEVEL,
        "data__division": "Event",
        "data__association": kind.association,
        "data__type": kind.data_type,
        "creation_time": published["start_time"],
        "instance__facility_name": "CTAO",
        "model__name": str(table.cards["PBFHEAD"]),
        "model__version": str(table.cards.get("APISREV", "unknown")),
        **{key: published[name] for name, key in _OF_PRODUCT.items() if published.get(name) is not None},
        **_telescope(kind, published),
        **known,
        **published,
        "dpps__events": stream.rows[events.number],
        "dpps__toy": table.cards.get("ORIGIN") == _TOY_ORIGIN,
        "valid_fits_checksum": True,
    }


def _published(
    stream: Stream, table: Unit, events: Unit, known: Mapping[str, MetadataValue]
) -> dict[str, MetadataValue]:
    cells = _cells(stream, table)
    tel_ids = cells.get("tel_ids") or cells.get("tel_id") or ()
    if not tel_ids and isinstance(number := known.get("instance__ae_id"), int):
        tel_ids = (number,)
    published: dict[str, MetadataValue] = {
        "observatory": table.cards.get("ORIGIN"),
        "start_time": _time(table.cards.get("DATE")),
        "end_time": _time(events.cards.get("DATE-END", events.cards.get("DATEEND"))),
        "tel_ids": list(tel_ids) or None,
    }
    for name in ("sb_id", "obs_id", "subarray_id"):
        cell = cells.get(name)
        published[name] = known.get(_OF_PRODUCT[name], cell[0] if cell else None)
    return {name: value for name, value in published.items() if value is not None}


def _published_of_product(
    units: Sequence[Unit], known: Mapping[str, MetadataValue]
) -> dict[str, MetadataValue]:
    """Return the published keys that product keywords alone can fill."""
    published: dict[str, MetadataValue] = {name: known.get(key) for name, key in _OF_PRODUCT.items()}
    origins = (unit.cards.get("ORIGIN") for unit in units)
    published["observatory"] = next(
        (str(one) for one in origins if one), known.get("instance__facility_name")
    )
    number = known.get("instance__ae_id")
    published["tel_ids"] = [number] if isinstance(number, int) and _is_telescope(known) else None
    return {name: value for name, value in published.items() if value is not None}


def _is_telescope(known: Mapping[str, MetadataValue]) -> bool:
    return known.get("data__association") == "Telescope"


def _cells(stream: Stream, table: Unit) -> Mapping[str, tuple[int, ...]]:
    if not table.cards.get("ZTABLE"):
        return {}
    if table.data_bytes > _ROW_BYTES_MAX:
        raise ValueError(f"the DataStream table of one row has {table.data_bytes} bytes")
    data = os.pread(stream.descriptor, table.data_bytes, table.data_begin)
    try:
        return first_row(table.cards, data)
    except (ValueError, struct.error, zlib.error) as wrong:
        raise ValueError(f"the DataStream table is malformed: {wrong}") from wrong


def _telescope(kind: _Kind, published: Mapping[str, MetadataValue]) -> dict[str, MetadataValue]:
    tel_ids = published.get("tel_ids")
    if kind.association != "Telescope" or not isinstance(tel_ids, list) or len(tel_ids) != 1:
        return {}
    return {"instance__ae_id": int(tel_ids[0]), "instance__ae_class": "TEL"}


def _time(text: CardValue | None) -> str | None:
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
