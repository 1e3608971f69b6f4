"""Streams of a toy observation: the toy's values in the form of the acquisition system's streams."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dpps_simpipe import __version__, streams
from dpps_simpipe.toy.observation import LABEL, ToyObservation

__all__ = [
    "N_PIXELS",
    "N_SAMPLES",
    "SubarrayEvent",
    "TelescopeEvent",
    "stream_block",
    "write_array_stream",
    "write_telescope_stream",
]

#: LST camera: pixels, samples read out per pixel.
N_PIXELS = 1855
N_SAMPLES = 40
#: Pixel stored ("identified as signal"), high gain stored (DL0 data model).
_PIXEL_STATUS = 0b00000101
_NANOSECONDS, _QUARTERS = 1_000_000_000, 4


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


def stream_block(observation: ToyObservation) -> streams.StreamBlock:
    """Give the toy observation as a block of streams.

    Parameters
    ----------
    observation : ToyObservation
        The observation block.

    Returns
    -------
    StreamBlock
        The same, labelled.
    """
    altitude, azimuth = observation.pointing_altitude_deg, observation.pointing_azimuth_deg
    return streams.StreamBlock(
        sb_id=observation.sb_id,
        obs_id=observation.obs_id,
        start=observation.start,
        duration_seconds=observation.duration_seconds,
        subarray_id=observation.subarray_id,
        site="CTAO-North",
        tracking=streams.Tracking(
            mode="fixed_horizontal",
            altitude_min_deg=altitude,
            altitude_max_deg=altitude,
            azimuth_mean_deg=azimuth,
        ),
        seed=observation.seed,
        origin=LABEL,
        maker=f"{LABEL} maker of dpps-simpipe {__version__}",
        email="toy@example.org",
    )


def _camera(tel_id: int) -> streams.CameraStream:
    """Give the camera of an LST: 265 modules of 7 pixels."""
    return streams.CameraStream(
        tel_id=tel_id,
        n_pixels=N_PIXELS,
        n_modules=265,
        n_samples=N_SAMPLES,
        n_channels=2,
        sampling_mhz=1024,
        scale=80.0,
        offset=5.0,
        model_version=f"1.0 ({LABEL})",
    )


def _quiet_events() -> Iterator[TelescopeEvent]:
    """Give three events without light: electronic noise only, always the same."""
    generator = np.random.default_rng(0)
    for index in range(3):
        yield TelescopeEvent(
            event_id=index + 1,
            after_start_nanoseconds=(index + 1) * _NANOSECONDS,
            waveform=generator.normal(0.0, 0.25, size=(N_PIXELS, N_SAMPLES)),
        )


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
    Conflict
        If `path` exists.
    InvalidInput
        If there is no event: readers fail on an empty table.
    """
    toy = observation or ToyObservation()
    written = list(_quiet_events() if events is None else events)
    camera = _camera(tel_id)
    status = np.full(N_PIXELS, _PIXEL_STATUS, dtype=np.uint8)
    raw = (
        streams.RawEvent(
            event_id=event.event_id,
            quarter_nanoseconds=event.after_start_nanoseconds * _QUARTERS,
            pixel_status=status,
            waveform=camera.encode(event.waveform),
        )
        for event in written
    )
    return streams.write_telescope_stream(
        path,
        block=stream_block(toy),
        camera=camera,
        identity=streams.StreamIdentity(
            tel_id=tel_id,
            data_type="AirShowerSim",
            title=f"{LABEL} events of LST {tel_id}, seed {toy.seed}",
        ),
        events=raw,
        n_events=len(written),
    )


def _triggers(events: Sequence[SubarrayEvent]) -> list[streams.ArrayTrigger]:
    """Let every telescope of an event trigger at its time."""
    return [
        streams.ArrayTrigger(
            event_id=event.event_id,
            quarter_nanoseconds=event.after_start_nanoseconds * _QUARTERS,
            telescopes=dict.fromkeys(event.tel_ids, event.after_start_nanoseconds * _QUARTERS),
        )
        for event in events
    ]


_TITLES: dict[streams.ArrayStream, str] = {"SUBARRAY": "subarray events", "TEL": "telescope triggers"}


def write_array_stream(
    path: Path, kind: streams.ArrayStream, *, observation: ToyObservation, events: Sequence[SubarrayEvent]
) -> Path:
    """Write a stream of the subarray.

    Parameters
    ----------
    path : pathlib.Path
        The file, which must not exist; its folder is made.
    kind : str
        See `dpps_simpipe.streams.write_array_stream`.
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
    Conflict
        If `path` exists.
    """
    title = f"{LABEL} {_TITLES[kind]}, seed {observation.seed}"
    block = stream_block(observation)
    return streams.write_array_stream(path, kind, block=block, title=title, events=_triggers(events))
