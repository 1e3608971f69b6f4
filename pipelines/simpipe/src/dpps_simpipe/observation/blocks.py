"""One observation block: slices made, put together, written as streams."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dpps.domain.errors import InvalidInput
from dpps_simpipe import __version__
from dpps_simpipe.instrument import Array, Telescope
from dpps_simpipe.observation.cameras import ORIGIN, camera_stream
from dpps_simpipe.observation.description import Block, Night, refused
from dpps_simpipe.observation.products import (
    SITES,
    cuts_of,
    model_words,
    spectrum_words,
    write_json,
    write_notes,
    write_truth,
)
from dpps_simpipe.observation.recorded import Recorded, put_together
from dpps_simpipe.observation.sky import Horizon, Track
from dpps_simpipe.observation.slices import make_slice
from dpps_simpipe.observation.thrown import n_slices
from dpps_simpipe.provenance import begin_record, simulation_inputs, write_record
from dpps_simpipe.resuming import claimed
from dpps_simpipe.streams import (
    ArrayStream,
    Layout,
    StreamBlock,
    StreamIdentity,
    Tracking,
    write_array_stream,
    write_telescope_stream,
)
from dpps_simpipe.workers import run_jobs

__all__ = ["LEAST_ALTITUDE_DEG", "Places", "checked_track", "make_block"]

#: The simulation of showers is not made for lower pointings.
LEAST_ALTITUDE_DEG = 30.0
_FIELD_OF_VIEW_DEG = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where the files of a night go.

    Parameters
    ----------
    output : Path
        Folder.
    scope : str
        Second component of the logical file names.
    fingerprint : str
        Of the description and the software.
    description : Path
        Where the description came from, for the provenance records.
    """

    output: Path
    scope: str
    fingerprint: str
    description: Path

    def manifest(self, block: Block) -> Path:
        """Give the manifest: the block is complete when it is there."""
        return self.output / "observation" / f"OBSID{block.obs_id:019d}.json"

    def notes(self, block: Block) -> Path:
        """Give the notes for the event list."""
        return self.output / "observation" / f"OBSID{block.obs_id:019d}.yaml"

    def record(self, block: Block) -> Path:
        """Give the provenance record."""
        return self.output / "observation" / f"OBSID{block.obs_id:019d}.provenance.log"

    def truth(self, block: Block) -> Path:
        """Give the truth."""
        return self.output / "truth" / f"OBSID{block.obs_id:019d}.truth.ecsv"

    def unfinished(self, block: Block) -> Path:
        """Give the folder of slices."""
        return self.output / ".unfinished" / f"OBSID{block.obs_id:019d}"


def checked_track(block: Block, array: Array) -> Track:
    """Follow the pointing of a block, and refuse what is too low.

    Parameters
    ----------
    block : Block
        The block.
    array : Array
        The telescopes.

    Returns
    -------
    Track
        Altitude and azimuth.

    Raises
    ------
    InvalidInput
        The pointing is below the horizon, or lower than what can be simulated.
    """
    track = Horizon.of(array, block.start).track(block.pointing, block.duration_s)
    if track.altitude_min_deg < LEAST_ALTITUDE_DEG:
        where = "below the horizon" if track.altitude_min_deg < 0 else "too low"
        raise refused(
            "blocks.start",
            f"{block.start:%Y-%m-%dT%H:%M:%SZ} of obs_id {block.obs_id}: the pointing is {where} at "
            f"{array.site} ({track.altitude_min_deg:.1f} deg; at least {LEAST_ALTITUDE_DEG:g} deg)",
        )
    return track


def stream_block(night: Night, block: Block, array: Array, track: Track) -> StreamBlock:
    """Describe a block to the writer of streams."""
    return StreamBlock(
        sb_id=night.sb_id,
        obs_id=block.obs_id,
        start=block.start,
        duration_seconds=block.duration_s,
        subarray_id=array.subarray_id,
        site=SITES[array.site],
        tracking=Tracking(
            mode="fixed_icrs",
            altitude_min_deg=track.altitude_min_deg,
            altitude_max_deg=track.altitude_max_deg,
            azimuth_mean_deg=track.azimuth_mean_deg,
            azimuth_range_deg=track.azimuth_range_deg,
            ra_deg=block.pointing.ra_deg,
            dec_deg=block.pointing.dec_deg,
            field_of_view_deg=_FIELD_OF_VIEW_DEG,
        ),
        seed=night.seed,
        origin=ORIGIN,
        maker=f"simulated by dpps-simpipe {__version__}",
        email="simpipe@example.org",
    )


def _title(night: Night, what: str) -> str:
    """Say in every header what the events are."""
    thinned = f", cosmic rays x{night.background.fraction:g}" if night.background else ""
    return f"simulated {what}{thinned}, seed {night.seed}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Streams:
    """Writes the streams of one block; files that are there already are complete."""

    night: Night
    block: StreamBlock
    layout: Layout
    events: Recorded

    def array(self) -> Iterator[Path]:
        """Write the streams of the subarray."""
        triggers = self.events.triggers()
        kinds: tuple[tuple[ArrayStream, str], ...] = (
            ("SUBARRAY", "array triggers"),
            ("TEL", "telescope triggers"),
        )
        for kind, what in kinds:
            path = self.layout.array_file(kind)
            if not path.exists():
                title = _title(self.night, what)
                write_array_stream(path, kind, block=self.block, title=title, events=triggers)
            yield path

    def telescope(self, telescope: Telescope) -> Iterator[Path]:
        """Write the events of a telescope, chunk by chunk."""
        count, size = self.events.count(telescope.tel_id), self.night.chunk_events
        for chunk, begin in enumerate(range(0, count, size)):
            path = self.layout.telescope_file(telescope.tel_id, telescope.name, chunk=chunk)
            if not path.exists():
                self._chunk(path, telescope, chunk, range(begin, min(begin + size, count)))
            yield path

    def _chunk(self, path: Path, telescope: Telescope, chunk: int, numbers: range) -> None:
        write_telescope_stream(
            path,
            block=self.block,
            camera=camera_stream(telescope),
            identity=StreamIdentity(
                tel_id=telescope.tel_id,
                data_type="AirShowerSim",
                title=_title(self.night, f"events of {telescope.name}"),
                chunk=chunk,
            ),
            events=self.events.raw_events(telescope.tel_id, numbers.start, numbers.stop),
            n_events=len(numbers),
        )


def make_block(
    night: Night,
    block: Block,
    places: Places,
    *,
    workers: int,
    tell: Callable[[int, int], None],
) -> dict[str, object]:
    """Make a block, or what is missing of it.

    Parameters
    ----------
    night : Night
        What is observed.
    block : Block
        One of its blocks.
    places : Places
        Where the files go.
    workers : int
        Processes.
    tell : callable
        Is told the number of finished slices and of all slices.

    Returns
    -------
    dict
        The manifest.

    Raises
    ------
    InvalidInput
        Nothing triggered, or the pointing is too low.
    Conflict
        The streams of the block are there, and not from this description.
    """
    array = night.load_array()
    words = {**asdict(night), "obs_id": block.obs_id, "scope": places.scope, "workers": workers}
    record = begin_record("dpps-simpipe observe", words, array)
    track = checked_track(block, array)
    described = stream_block(night, block, array, track)
    layout = Layout(output=places.output, scope=places.scope, block=described)
    outputs = layout.array_file("SUBARRAY"), layout.array_file("TEL")
    # The folder goes before anybody is told: streams that were taken away must not look as if missing.
    with claimed(places.unfinished(block), places.fingerprint, outputs) as parts:
        events = put_together(
            _slices(night, block, parts, workers, tell),
            dead_time_s=night.dead_time_s,
            core_radius_m=[one.core_radius_m for one in night.populations],
        )
        if not len(events.events):
            raise InvalidInput(
                f"observation block {block.obs_id}: none of {events.thrown.sum()} showers triggered "
                "the array",
                code="simpipe.observation-empty",
                next_step="Observe longer, or throw more: fraction, core_radius, energies.",
                obs_id=block.obs_id,
            )
        streams = _Streams(night=night, block=described, layout=layout, events=events)
        files = list(streams.array())
        for telescope in array.telescopes:
            files += streams.telescope(telescope)
        write_truth(places.truth(block), night, block, events, array)
        write_notes(places.notes(block), night, block, array)
        manifest = _manifest(night, block, places, events, track, files)
        manifest["instrument_model"] = model_words(array)
        products = [(path, "stream") for path in files]
        products += [(places.truth(block), "truth"), (places.notes(block), "notes")]
        write_record(
            record,
            places.record(block),
            used=simulation_inputs(
                places.description, "observation description", night.model, night.atmosphere
            ),
            made=products,
        )
        write_json(places.manifest(block), manifest)
    return manifest


def _slices(
    night: Night, block: Block, parts: Path, workers: int, tell: Callable[[int, int], None]
) -> list[Path]:
    """Simulate the slices that are missing."""
    total = n_slices(night, block)
    paths = [parts / f"slice_{number:06d}.h5" for number in range(total)]
    missing = [number for number, path in enumerate(paths) if not path.exists()]
    before = total - len(missing)
    jobs = [(night, block, number, paths[number]) for number in missing]
    run_jobs(make_slice, jobs, workers, lambda done: tell(before + done, total))
    return paths


def _manifest(
    night: Night, block: Block, places: Places, events: Recorded, track: Track, files: list[Path]
) -> dict[str, object]:
    """Say what was made, from what, and what is missing from it."""
    recorded = [int((events.events["population"] == index).sum()) for index in range(len(night.populations))]
    counts: dict[str, Any] = {
        one.key: {
            "primary": one.primary,
            "expected": night.rate_hz(one) * block.duration_s,
            "thrown": int(events.thrown[index]),
            "triggered": int(events.triggered[index]),
            "recorded": recorded[index],
        }
        for index, one in enumerate(night.populations)
    }
    return {
        "dpps_observation_block": 1,
        "obs_id": block.obs_id,
        "sb_id": night.sb_id,
        "array": night.array,
        "start_utc": f"{block.start:%Y-%m-%dT%H:%M:%SZ}",
        "duration_s": block.duration_s,
        "dead_time_s": night.dead_time_s,
        "pointing": {
            "ra_deg": block.pointing.ra_deg,
            "dec_deg": block.pointing.dec_deg,
            "altitude_deg": [track.altitude_min_deg, track.altitude_mean_deg, track.altitude_max_deg],
            "azimuth_mean_deg": track.azimuth_mean_deg,
        },
        "spectra": {one.key: spectrum_words(one) for one in night.populations},
        "background_fraction": night.background.fraction if night.background else 0.0,
        "counts": counts,
        "events": len(events.events),
        "cuts": cuts_of(night, block, events),
        "files": [str(path.relative_to(places.output)) for path in files],
        "truth": str(places.truth(block).relative_to(places.output)),
        "notes": str(places.notes(block).relative_to(places.output)),
        "seed": night.seed,
        "description_sha256": places.fingerprint,
        "software": f"dpps-simpipe {__version__}",
    }
