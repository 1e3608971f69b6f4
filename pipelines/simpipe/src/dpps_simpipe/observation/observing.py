"""Nights turned into hand-overs, block by block, resumable."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from dpps.domain.errors import Conflict, InvalidInput
from dpps_simpipe import __version__
from dpps_simpipe.atmosphere import table_checksum
from dpps_simpipe.instrument import Array, check_validity, load_model
from dpps_simpipe.observation.blocks import Places, checked_track, make_block
from dpps_simpipe.observation.description import Block, Night
from dpps_simpipe.observation.products import model_words, spectrum_words
from dpps_simpipe.observation.reading import load_night
from dpps_simpipe.observation.thrown import n_slices
from dpps_simpipe.resuming import sweep
from dpps_simpipe.streams import link_triggers

__all__ = ["observe", "plan"]


def fingerprint(night: Night, scope: str) -> str:
    """Identify what is made: description, instrument model, table of the atmosphere, software."""
    values = {
        # The content of the model counts, not where it lies.
        "night": {key: value for key, value in asdict(night).items() if key != "model"},
        "spectra": [spectrum_words(one) for one in night.populations],
        "scope": scope,
        "model": night.load_array().model_sha256,
        "software": __version__,
    }
    if table := table_checksum(night.atmosphere):
        values["atmosphere"] = table
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()


def checked_array(night: Night) -> Array:
    """Load the array; refuse blocks that its model does not describe, or whose pointing is too low."""
    array, model = night.load_array(), load_model(night.model)
    for block in night.blocks:
        check_validity(model, f"observation block {block.obs_id}", block.start, block.duration_s)
        checked_track(block, array)
    return array


def plan(description: Path, model: str = "") -> dict[str, object]:
    """Check a description and say what it would throw, without simulating.

    Parameters
    ----------
    description : Path
        See `load_night`.
    model : str
        Instrument model, as there.

    Returns
    -------
    dict
        Expected showers and the track of the pointing, by block.

    Raises
    ------
    InvalidInput
        The description is wrong, or a pointing is too low.
    """
    night = load_night(description, model)
    array = checked_array(night)
    blocks = []
    for block in night.blocks:
        track = checked_track(block, array)
        blocks.append(
            {
                "obs_id": block.obs_id,
                "altitude_deg": [track.altitude_min_deg, track.altitude_max_deg],
                "expected_showers": {
                    one.key: night.rate_hz(one) * block.duration_s for one in night.populations
                },
                "slices": n_slices(night, block),
            }
        )
    return {
        "dry_run": True,
        "name": night.name,
        "array": night.array,
        "instrument_model": model_words(array),
        "blocks": blocks,
    }


def _finished(places: Places, block: Block) -> dict[str, object] | None:
    """Give the manifest of a block that is complete.

    Raises
    ------
    Conflict
        It is from another description.
    """
    path = places.manifest(block)
    if not path.is_file() or places.unfinished(block).exists():
        return None
    sweep(places.unfinished(block))
    manifest: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
    if manifest["description_sha256"] != places.fingerprint:
        raise Conflict(
            f"{path} is of another description",
            code="simpipe.output-exists",
            next_step="Choose another output, or another obs_id.",
            path=path,
        )
    return manifest


def observe(
    description: Path,
    output: Path,
    *,
    scope: str = "acada",
    workers: int = 1,
    hand_over: bool = False,
    model: str = "",
    progress: Callable[[str], None] | None = None,
) -> dict[str, object]:
    """Simulate a night into raw streams, truth and notes.

    Killed at any time, the next call goes on with what is missing; finished blocks are kept as they are. The
    content does not depend on the number of workers.

    Parameters
    ----------
    description : Path
        See `load_night`.
    output : Path
        Folder of the hand-over.
    scope : str
        Second component of the logical file names.
    workers : int
        Processes.
    hand_over : bool
        Whether to put a trigger link beside every stream of a block when the block is complete.
    model : str
        Instrument model: version of the package, or a folder; empty: the newest of the package.
    progress : callable or None
        Is told what is done.

    Returns
    -------
    dict
        Manifests of the blocks, with absolute paths.

    Raises
    ------
    InvalidInput
        The description or the number of workers is wrong, a block is on a day that the model does not
        describe, or nothing triggered.
    Conflict
        The output holds blocks of another description.
    """
    if workers < 1:
        raise InvalidInput(
            f"{workers} workers are too few",
            code="simpipe.option-invalid",
            next_step="Give at least one worker.",
        )
    night, output = load_night(description, model), output.resolve()
    places = Places(
        output=output, scope=scope, fingerprint=fingerprint(night, scope), description=description
    )
    checked_array(night)  # before the first block is made
    blocks = []
    for block in night.blocks:
        tell = _teller(block, progress)
        manifest = _finished(places, block) or make_block(night, block, places, workers=workers, tell=tell)
        if hand_over:
            link_triggers(_still_there(places, manifest))
        blocks.append(_with_paths(manifest, places, block, hand_over=hand_over))
    files = [Path(str(path)) for one in blocks for path in _list(one["files"])]
    return {
        "output": str(output),
        "blocks": blocks,
        "bytes": sum(path.stat().st_size for path in files if path.is_file()),
    }


def _still_there(places: Places, manifest: dict[str, object]) -> list[Path]:
    """Give the streams of a complete block that nobody has taken away yet."""
    paths = [places.output / str(name) for name in _list(manifest["files"])]
    return [path for path in paths if path.is_file()]


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _teller(block: Block, progress: Callable[[str], None] | None) -> Callable[[int, int], None]:
    def tell(done: int, total: int) -> None:
        if progress is not None:
            progress(f"block {block.obs_id}: {done} of {total} slices")

    return tell


def _with_paths(
    manifest: dict[str, object], places: Places, block: Block, *, hand_over: bool
) -> dict[str, object]:
    """Give a manifest with absolute paths."""
    files = [str(places.output / str(name)) for name in _list(manifest["files"])]
    return {
        **manifest,
        "files": files,
        "triggers": [f"{path}.trigger" for path in _still_there(places, manifest)] if hand_over else [],
        "truth": str(places.truth(block)),
        "notes": str(places.notes(block)),
        "manifest": str(places.manifest(block)),
        "provenance": str(places.record(block)),
    }
