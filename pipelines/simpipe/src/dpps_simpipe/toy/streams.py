"""DL0 streams of the acquisition system (zfits), written with ``protozfits``."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dpps_simpipe.toy.files import published, verify
from dpps_simpipe.toy.headers import StreamIdentity, product_header
from dpps_simpipe.toy.observation import LABEL, ToyError, ToyObservation

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from protozfits import FlatProtobufZOFits

__all__ = [
    "N_PIXELS",
    "N_SAMPLES",
    "SubarrayEvent",
    "TelescopeEvent",
    "encode_waveform",
    "write_subarray_stream",
    "write_telescope_stream",
    "write_trigger_stream",
]

#: LST camera: pixels, samples read out per pixel, modules of 7 pixels.
N_PIXELS = 1855
N_SAMPLES = 40
_N_MODULES = 265
_SAMPLING_FREQUENCY_MHZ = 1024

#: stored = (photoelectrons + offset) * scale, as unsigned 16 bit.
_WAVEFORM_SCALE = 80.0
_WAVEFORM_OFFSET = 5.0

#: Pixel stored ("identified as signal"), high gain stored (DL0 data model).
_PIXEL_STATUS = 0b00000101
_EVENT_TYPE_SUBARRAY = 32
_SB_CREATOR_ACADA_NORTH = 2
_NANOSECONDS = 1_000_000_000
_QUARTERS = 4
_CARD_CHARACTERS = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class TelescopeEvent:
    """One event of one telescope."""

    event_id: int
    #: Time of the event after the start of the observation.
    after_start_nanoseconds: int
    #: Photoelectrons per sample, shape: (pixels, samples).
    waveform: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class SubarrayEvent:
    """One array trigger."""

    event_id: int
    #: Time of the event after the start of the observation.
    after_start_nanoseconds: int
    #: Telescopes that triggered and were read out.
    tel_ids: tuple[int, ...]


def encode_waveform(waveform: NDArray[np.float64]) -> NDArray[np.uint16]:
    """Put photoelectrons per sample in the unsigned 16 bit of the stream."""
    stored = np.round((waveform + _WAVEFORM_OFFSET) * _WAVEFORM_SCALE)
    return np.clip(stored, 0, np.iinfo(np.uint16).max).astype(np.uint16)


def _quiet_events() -> Iterator[TelescopeEvent]:
    """Give three events without light: electronic noise only, always the same."""
    generator = np.random.default_rng(0)
    for index in range(3):
        yield TelescopeEvent(
            event_id=index + 1,
            after_start_nanoseconds=(index + 1) * _NANOSECONDS,
            waveform=generator.normal(0.0, 0.25, size=(N_PIXELS, N_SAMPLES)),
        )


def _event_time(observation: ToyObservation, after_start_nanoseconds: int) -> tuple[int, int]:
    """Give TAI seconds since 1970 and the quarters of nanoseconds in the second."""
    from astropy.time import Time

    start_seconds = round(float(Time(observation.start).unix_tai))
    seconds, nanoseconds = divmod(after_start_nanoseconds, _NANOSECONDS)
    return start_seconds + seconds, nanoseconds * _QUARTERS


def _set_card(writer: "FlatProtobufZOFits", keyword: str, value: Any, comment: str) -> None:
    """Put one card in the primary header, through the writer's function for its type.

    The writer fails on a card of more than 80 characters: comments are cut.
    """
    room = _CARD_CHARACTERS - max(len(keyword), 8) - len(f"= {str(value)!r:<20} / ")
    comment = comment[: max(room, 0)]
    if isinstance(value, bool):
        writer.set_primary_bool(keyword, value, comment)
    elif isinstance(value, int):
        writer.set_primary_int(keyword, value, comment)
    elif isinstance(value, float):
        writer.set_primary_float(keyword, value, comment)
    elif keyword.startswith("CTAO "):
        writer.set_primary_hierarch_string(keyword, str(value), comment)
    else:
        writer.set_primary_string(keyword, str(value), comment)


def _begin_table(writer: "FlatProtobufZOFits", name: str, observation: ToyObservation, title: str) -> None:
    """Begin a table whose header says what it is and when it was taken."""
    end = observation.start + timedelta(seconds=observation.duration_seconds)
    writer.move_to_new_table(name)
    writer.set_string("TITLE", title, "Content of the file")
    writer.set_string("ORIGIN", LABEL, "Institution that wrote the file")
    writer.set_string("DATE", f"{observation.start:%Y-%m-%dT%H:%M:%S}", "Start")
    writer.set_string("DATE-END", f"{end:%Y-%m-%dT%H:%M:%S}", "End")


def _write_stream(
    path: Path,
    observation: ToyObservation,
    identity: StreamIdentity,
    tables: Sequence[tuple[str, "Callable[[], Iterator[Message]]"]],
    compressions: dict[str, str] | None = None,
) -> None:
    """Write the tables, in order, in one zfits file."""
    from protozfits import FlatProtobufZOFits

    header = product_header(observation, identity)
    # Complete before the writer opens: it does not survive an error of its caller.
    contents = [(name, list(messages())) for name, messages in tables]
    with published(path) as temporary:
        with FlatProtobufZOFits(n_tiles=20, rows_per_tile=10, compression_block_size_kb=4096) as writer:
            writer.open(str(temporary))
            for card in header.cards:
                _set_card(writer, card.keyword, card.value, card.comment)
            for name, messages in contents:
                _begin_table(writer, name, observation, identity.title)
                if name == "Events":
                    for field, method in (compressions or {}).items():
                        writer.request_explicit_compression(field, method)
                for message in messages:
                    writer.write_message(message)
        verify(temporary, {name: len(messages) for name, messages in contents})


def write_telescope_stream(
    path: Path,
    *,
    tel_id: int = 1,
    observation: ToyObservation | None = None,
    events: Sequence[TelescopeEvent] | None = None,
) -> Path:
    """Write the events of one LST (DL0v1 Telescope).

    Parameters
    ----------
    path : pathlib.Path
        The file, which must not exist; its folder is made.
    tel_id : int
        Telescope, 1 to 4.
    observation : ToyObservation or None
        The observation block; None: one with the default identifiers.
    events : sequence of TelescopeEvent or None
        At least one, ordered by `event_id`; None: three events of noise.

    Returns
    -------
    pathlib.Path
        `path`.

    Raises
    ------
    ToyError
        If `path` exists, or there is no event (readers fail on an empty table).
    """
    from protozfits import DL0v1_Telescope_pb2 as messages
    from protozfits.anyarray import numpy_to_any_array

    block = observation or ToyObservation()
    written = list(_quiet_events() if events is None else events)
    if not written:
        raise ToyError(f"no event for {path}: give at least one, or write no file")

    def stream() -> Iterator["Message"]:
        yield messages.DataStream(
            tel_id=tel_id,
            sb_id=block.sb_id,
            obs_id=block.obs_id,
            waveform_scale=_WAVEFORM_SCALE,
            waveform_offset=_WAVEFORM_OFFSET,
            sb_creator_id=_SB_CREATOR_ACADA_NORTH,
        )

    def camera() -> Iterator["Message"]:
        yield messages.CameraConfiguration(
            tel_id=tel_id,
            local_run_id=block.obs_id,
            config_time_s=block.start.timestamp(),
            camera_config_id=1,
            num_pixels=N_PIXELS,
            pixel_id_map=numpy_to_any_array(np.arange(N_PIXELS, dtype=np.uint16)),
            module_id_map=numpy_to_any_array(np.arange(_N_MODULES, dtype=np.uint16)),
            num_channels=2,
            num_samples_nominal=N_SAMPLES,
            num_samples_long=0,
            num_modules=_N_MODULES,
            sampling_frequency=_SAMPLING_FREQUENCY_MHZ,
            data_model_version=f"1.0 ({LABEL})",
        )

    def rows() -> Iterator["Message"]:
        status = numpy_to_any_array(np.full(N_PIXELS, _PIXEL_STATUS, dtype=np.uint8))
        for event in written:
            seconds, quarters = _event_time(block, event.after_start_nanoseconds)
            yield messages.Event(
                event_id=event.event_id,
                tel_id=tel_id,
                event_type=_EVENT_TYPE_SUBARRAY,
                event_time_s=seconds,
                event_time_qns=quarters,
                pixel_status=status,
                waveform=numpy_to_any_array(encode_waveform(event.waveform)),
                num_channels=1,
                num_samples=event.waveform.shape[1],
                num_pixels_survived=event.waveform.shape[0],
            )

    identity = StreamIdentity(
        tel_id=tel_id,
        data_type="AirShowerSim",
        title=f"{LABEL} events of LST {tel_id}, seed {block.seed}",
    )
    tables = [("DataStream", stream), ("CameraConfiguration", camera), ("Events", rows)]
    _write_stream(path, block, identity, tables, {"waveform": "zstd1"})
    return path


def write_subarray_stream(
    path: Path, *, observation: ToyObservation, events: Sequence[SubarrayEvent]
) -> Path:
    """Write the array triggers with the telescopes read out (DL0v1 Subarray).

    Parameters
    ----------
    path : pathlib.Path
        The file, which must not exist; its folder is made.
    observation : ToyObservation
        The observation block.
    events : sequence of SubarrayEvent
        Ordered by `event_id`.

    Returns
    -------
    pathlib.Path
        `path`.

    Raises
    ------
    ToyError
        If `path` exists.
    """
    from protozfits import DL0v1_Subarray_pb2 as messages
    from protozfits.anyarray import numpy_to_any_array

    def stream() -> Iterator["Message"]:
        yield messages.DataStream(
            subarray_id=observation.subarray_id,
            sb_id=observation.sb_id,
            obs_id=observation.obs_id,
            producer_id=1,
            sb_creator_id=_SB_CREATOR_ACADA_NORTH,
        )

    def rows() -> Iterator["Message"]:
        for event in events:
            seconds, quarters = _event_time(observation, event.after_start_nanoseconds)
            telescopes = numpy_to_any_array(np.array(event.tel_ids, dtype=np.uint16))
            yield messages.Event(
                event_id=event.event_id,
                trigger_type=1,
                sb_id=observation.sb_id,
                obs_id=observation.obs_id,
                event_time_s=seconds,
                event_time_qns=quarters,
                trigger_ids=numpy_to_any_array(np.array([event.event_id], dtype=np.uint64)),
                tel_ids_with_trigger=telescopes,
                tel_ids_with_data=telescopes,
            )

    identity = StreamIdentity(
        tel_id=None,
        data_type="Trigger",
        title=f"{LABEL} subarray events, seed {observation.seed}",
    )
    _write_stream(path, observation, identity, [("DataStream", stream), ("SubarrayEvents", rows)])
    return path


def write_trigger_stream(path: Path, *, observation: ToyObservation, events: Sequence[SubarrayEvent]) -> Path:
    """Write the triggers of the single telescopes (DL0v1 Trigger).

    Parameters
    ----------
    path : pathlib.Path
        The file, which must not exist; its folder is made.
    observation : ToyObservation
        The observation block.
    events : sequence of SubarrayEvent
        Ordered by `event_id`.

    Returns
    -------
    pathlib.Path
        `path`.

    Raises
    ------
    ToyError
        If `path` exists.
    """
    from protozfits import DL0v1_Trigger_pb2 as messages
    from protozfits.anyarray import numpy_to_any_array

    all_telescopes = sorted({tel_id for event in events for tel_id in event.tel_ids})

    def stream() -> Iterator["Message"]:
        yield messages.DataStream(
            tel_ids=numpy_to_any_array(np.array(all_telescopes, dtype=np.uint16)),
            sb_id=observation.sb_id,
            obs_id=observation.obs_id,
            producer_id=1,
            sb_creator_id=_SB_CREATOR_ACADA_NORTH,
        )

    def rows() -> Iterator["Message"]:
        for event in events:
            seconds, quarters = _event_time(observation, event.after_start_nanoseconds)
            for tel_id in event.tel_ids:
                yield messages.Trigger(
                    tel_id=tel_id,
                    trigger_id=event.event_id,
                    trigger_type=1,
                    trigger_time_s=seconds,
                    trigger_time_qns=quarters,
                    readout_requested=True,
                    data_available=True,
                )

    identity = StreamIdentity(
        tel_id=None,
        data_type="TelescopeTriggers",
        title=f"{LABEL} telescope triggers, seed {observation.seed}",
    )
    _write_stream(path, observation, identity, [("DataStream", stream), ("Triggers", rows)])
    return path
