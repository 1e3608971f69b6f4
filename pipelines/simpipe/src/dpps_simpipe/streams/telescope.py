"""The stream of a telescope's events."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dpps.domain.errors import InvalidInput
from dpps_simpipe.streams.block import CREATORS, StreamBlock, StreamIdentity
from dpps_simpipe.streams.zfits import clock, write_tables

if TYPE_CHECKING:
    from google.protobuf.message import Message

__all__ = ["CameraStream", "RawEvent", "write_telescope_stream"]

_EVENT_TYPE_SUBARRAY = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraStream:
    """How a camera's events are stored.

    Parameters
    ----------
    tel_id : int
        Telescope, number of the observatory.
    n_pixels, n_modules, n_samples, n_channels : int
        Size of the camera.
    sampling_mhz : int
        Sampling frequency.
    scale, offset : float
        A stored sample is (photoelectrons + offset) times scale.
    model_version : str
        Of the data model, with who wrote it.
    """

    tel_id: int
    n_pixels: int
    n_modules: int
    n_samples: int
    n_channels: int
    sampling_mhz: int
    scale: float
    offset: float
    model_version: str

    def encode(self, waveform: NDArray[np.floating[Any]]) -> NDArray[np.uint16]:
        """Put photoelectrons per sample in the unsigned 16 bit of the stream.

        Parameters
        ----------
        waveform : array
            Photoelectrons per sample.

        Returns
        -------
        array
            Of the same shape; what does not fit is cut at the ends of the range.
        """
        stored = np.round((waveform + self.offset) * self.scale)
        return np.clip(stored, 0, np.iinfo(np.uint16).max).astype(np.uint16)


@dataclass(frozen=True, slots=True, kw_only=True)
class RawEvent:
    """One event of one telescope, as it is stored.

    Parameters
    ----------
    event_id : int
        Event.
    quarter_nanoseconds : int
        Time after the start of the block, in quarters of ns.
    pixel_status : array
        Bits of the data model. Shape (n_pixels,).
    waveform : array
        Stored samples of the pixels that the status says are there. Shape (n_stored, n_samples), or with
        all gain channels (n_channels, n_stored, n_samples).
    event_type : int
        Of the data model.
    """

    event_id: int
    quarter_nanoseconds: int
    pixel_status: NDArray[np.uint8]
    waveform: NDArray[np.uint16]
    event_type: int = _EVENT_TYPE_SUBARRAY


def write_telescope_stream(
    path: Path,
    *,
    block: StreamBlock,
    camera: CameraStream,
    identity: StreamIdentity,
    events: Iterable[RawEvent],
    n_events: int,
) -> Path:
    """Write the events of one telescope (DL0v1 Telescope).

    Parameters
    ----------
    path : pathlib.Path
        The file, which must not exist; its folder is made.
    block : StreamBlock
        The observation block.
    camera : CameraStream
        The camera.
    identity : StreamIdentity
        What the file is.
    events : iterable of RawEvent
        Ordered by `event_id`; read one by one.
    n_events : int
        Their number, or a greater one; at least 1.

    Returns
    -------
    pathlib.Path
        `path`.

    Raises
    ------
    Conflict
        If `path` exists.
    InvalidInput
        If there is no event: readers fail on an empty table.
    StorageFull
        If the file does not read back as it was written.
    """
    if n_events < 1:
        raise InvalidInput(
            f"no event for {path}",
            code="simpipe.stream-empty",
            next_step="Give at least one, or write no file.",
            path=path,
        )
    tables = [
        ("DataStream", _telescope_data_stream(block, camera)),
        ("CameraConfiguration", _camera_configuration(block, camera)),
        ("Events", _telescope_rows(block, camera, events)),
    ]
    write_tables(path, block, identity, tables, n_events)
    return path


def _telescope_data_stream(block: StreamBlock, camera: CameraStream) -> "Iterator[Message]":
    from protozfits import DL0v1_Telescope_pb2 as messages

    yield messages.DataStream(
        tel_id=camera.tel_id,
        sb_id=block.sb_id,
        obs_id=block.obs_id,
        waveform_scale=camera.scale,
        waveform_offset=camera.offset,
        sb_creator_id=CREATORS[block.site],
    )


def _camera_configuration(block: StreamBlock, camera: CameraStream) -> "Iterator[Message]":
    from protozfits import DL0v1_Telescope_pb2 as messages
    from protozfits.anyarray import numpy_to_any_array

    yield messages.CameraConfiguration(
        tel_id=camera.tel_id,
        local_run_id=block.obs_id,
        config_time_s=block.start.timestamp(),
        camera_config_id=1,
        num_pixels=camera.n_pixels,
        pixel_id_map=numpy_to_any_array(np.arange(camera.n_pixels, dtype=np.uint16)),
        module_id_map=numpy_to_any_array(np.arange(camera.n_modules, dtype=np.uint16)),
        num_channels=camera.n_channels,
        num_samples_nominal=camera.n_samples,
        num_samples_long=0,
        num_modules=camera.n_modules,
        sampling_frequency=camera.sampling_mhz,
        data_model_version=camera.model_version,
    )


def _telescope_rows(
    block: StreamBlock, camera: CameraStream, events: Iterable[RawEvent]
) -> "Iterator[Message]":
    from protozfits import DL0v1_Telescope_pb2 as messages
    from protozfits.anyarray import numpy_to_any_array

    start = block.start_tai_seconds
    for event in events:
        seconds, quarters = clock(start, event.quarter_nanoseconds)
        yield messages.Event(
            event_id=event.event_id,
            tel_id=camera.tel_id,
            event_type=event.event_type,
            event_time_s=seconds,
            event_time_qns=quarters,
            pixel_status=numpy_to_any_array(event.pixel_status),
            waveform=numpy_to_any_array(event.waveform),
            num_channels=1 if event.waveform.ndim == 2 else event.waveform.shape[0],
            num_samples=event.waveform.shape[-1],
            num_pixels_survived=event.waveform.shape[-2],
        )
