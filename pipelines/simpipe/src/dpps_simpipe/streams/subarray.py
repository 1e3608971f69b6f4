"""The streams of the subarray: array triggers, triggers of telescopes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from dpps_simpipe.streams.block import CREATORS, StreamBlock, StreamIdentity
from dpps_simpipe.streams.zfits import clock, write_tables

if TYPE_CHECKING:
    from google.protobuf.message import Message

__all__ = ["ArrayStream", "ArrayTrigger", "write_array_stream"]

#: Words of the file names for the streams of the subarray.
type ArrayStream = Literal["SUBARRAY", "TEL"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayTrigger:
    """One array trigger.

    Parameters
    ----------
    event_id : int
        Event.
    quarter_nanoseconds : int
        Time after the start of the block, in quarters of ns.
    telescopes : mapping of int to int
        Times of the triggers of the telescopes that were read out, the same way.
    """

    event_id: int
    quarter_nanoseconds: int
    telescopes: Mapping[int, int]


def write_array_stream(
    path: Path, kind: ArrayStream, *, block: StreamBlock, title: str, events: Sequence[ArrayTrigger]
) -> Path:
    """Write a stream of the subarray.

    Parameters
    ----------
    path : pathlib.Path
        The file, which must not exist; its folder is made.
    kind : str
        ``SUBARRAY``: the array triggers with the telescopes read out (DL0v1 Subarray); ``TEL``: the triggers
        of the single telescopes (DL0v1 Trigger).
    block : StreamBlock
        The observation block.
    title : str
        For readers.
    events : sequence of ArrayTrigger
        Ordered by `event_id`.

    Returns
    -------
    pathlib.Path
        `path`.

    Raises
    ------
    Conflict
        If `path` exists.
    StorageFull
        If the file does not read back as it was written.
    """
    form = _FORMS[kind]
    identity = StreamIdentity(tel_id=None, data_type=form.data_type, title=title)
    tables = [("DataStream", form.head(block, events)), (form.table, form.rows(block, events))]
    write_tables(path, block, identity, tables, form.count(events))
    return path


def _subarray_data_stream(block: StreamBlock, _events: Sequence[ArrayTrigger]) -> "Iterator[Message]":
    from protozfits import DL0v1_Subarray_pb2 as messages

    yield messages.DataStream(
        subarray_id=block.subarray_id,
        sb_id=block.sb_id,
        obs_id=block.obs_id,
        producer_id=1,
        sb_creator_id=CREATORS[block.site],
    )


def _subarray_rows(block: StreamBlock, events: Sequence[ArrayTrigger]) -> "Iterator[Message]":
    from protozfits import DL0v1_Subarray_pb2 as messages
    from protozfits.anyarray import numpy_to_any_array

    start = block.start_tai_seconds
    for event in events:
        seconds, quarters = clock(start, event.quarter_nanoseconds)
        telescopes = numpy_to_any_array(np.array(sorted(event.telescopes), dtype=np.uint16))
        yield messages.Event(
            event_id=event.event_id,
            trigger_type=1,
            sb_id=block.sb_id,
            obs_id=block.obs_id,
            event_time_s=seconds,
            event_time_qns=quarters,
            trigger_ids=numpy_to_any_array(np.array([event.event_id], dtype=np.uint64)),
            tel_ids_with_trigger=telescopes,
            tel_ids_with_data=telescopes,
        )


def _trigger_data_stream(block: StreamBlock, events: Sequence[ArrayTrigger]) -> "Iterator[Message]":
    from protozfits import DL0v1_Trigger_pb2 as messages
    from protozfits.anyarray import numpy_to_any_array

    telescopes = sorted({tel_id for event in events for tel_id in event.telescopes})
    yield messages.DataStream(
        tel_ids=numpy_to_any_array(np.array(telescopes, dtype=np.uint16)),
        sb_id=block.sb_id,
        obs_id=block.obs_id,
        producer_id=1,
        sb_creator_id=CREATORS[block.site],
    )


def _trigger_rows(block: StreamBlock, events: Sequence[ArrayTrigger]) -> "Iterator[Message]":
    from protozfits import DL0v1_Trigger_pb2 as messages

    start = block.start_tai_seconds
    for event in events:
        for tel_id, time in sorted(event.telescopes.items()):
            seconds, quarters = clock(start, time)
            yield messages.Trigger(
                tel_id=tel_id,
                trigger_id=event.event_id,
                trigger_type=1,
                trigger_time_s=seconds,
                trigger_time_qns=quarters,
                readout_requested=True,
                data_available=True,
            )


def _count_triggers(events: Sequence[ArrayTrigger]) -> int:
    return sum(len(event.telescopes) for event in events)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """What the streams of the subarray differ in."""

    data_type: str
    #: Table of the rows.
    table: str
    head: "Callable[[StreamBlock, Sequence[ArrayTrigger]], Iterator[Message]]"
    rows: "Callable[[StreamBlock, Sequence[ArrayTrigger]], Iterator[Message]]"
    #: Number of the rows.
    count: Callable[[Sequence[ArrayTrigger]], int]


_FORMS: dict[ArrayStream, _Form] = {
    "SUBARRAY": _Form(
        data_type="Trigger",
        table="SubarrayEvents",
        head=_subarray_data_stream,
        rows=_subarray_rows,
        count=len,
    ),
    "TEL": _Form(
        data_type="TelescopeTriggers",
        table="Triggers",
        head=_trigger_data_stream,
        rows=_trigger_rows,
        count=_count_triggers,
    ),
}
