"""Write raw streams as the telescopes' software does: zfits, by ``protozfits``, with product metadata.

usage (in the pipelines environment): python bench/peers/write_streams.py FOLDER [--files 20] [--events 10]

Every event has the waveforms of 1855 pixels: ten events are 1.05 MB, ten thousand are 1 GB. Files differ in
their events and in the observation that they belong to.
"""

from __future__ import annotations

import argparse
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import protozfits
from dpps_simpipe.toy.observation import observation_of_seed
from dpps_simpipe.toy.streams import N_PIXELS, N_SAMPLES, TelescopeEvent, write_telescope_stream

_ROWS_PER_TILE = 10
_FEWEST_TILES = 20
_DIFFERENT = 40
"""So many waveforms follow one another: the compression must not find any of them twice."""


def write(folder: Path, *, files: int, events: int) -> None:
    """Write ``00.fits.fz``, ``01.fits.fz``, … ."""
    # The stream's table of tiles must have room for all of them, or the writer cuts the file.
    tiles = max(_FEWEST_TILES, -(-events // _ROWS_PER_TILE))
    protozfits.FlatProtobufZOFits = partial(_writer, protozfits.FlatProtobufZOFits, tiles)
    for number in range(files):
        noise = np.random.default_rng(number)
        count = min(events, _DIFFERENT)
        waveforms = [noise.normal(0.0, 1.0, size=(N_PIXELS, N_SAMPLES)) for _ in range(count)]
        write_telescope_stream(
            folder / f"{number:02d}.fits.fz",
            observation=observation_of_seed(number + 1),
            events=[
                TelescopeEvent(
                    event_id=event + 1, after_start_nanoseconds=event * 1_000_000, waveform=waveform
                )
                for event, waveform in enumerate(islice(cycle(waveforms), events))
            ],
        )


def _writer(kind: Any, tiles: int, **options: Any) -> Any:
    return kind(**{**options, "n_tiles": tiles, "rows_per_tile": _ROWS_PER_TILE})


def main() -> None:
    """Read the command line and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--files", type=int, default=20)
    parser.add_argument("--events", type=int, default=10)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    write(options.folder, files=options.files, events=options.events)


if __name__ == "__main__":
    main()
