"""Calibration runs turned into streams, telescope by telescope, resumable."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
from astropy.table import QTable

from dpps.domain.errors import Conflict, InvalidInput
from dpps_simpipe import __version__
from dpps_simpipe.calibration_runs.description import CalibrationRun, Stars, load_calibration_run
from dpps_simpipe.calibration_runs.events import TelescopeRun
from dpps_simpipe.instrument import Array, check_validity, load_model
from dpps_simpipe.observation.blocks import LEAST_ALTITUDE_DEG
from dpps_simpipe.observation.cameras import ORIGIN
from dpps_simpipe.observation.products import SITES, model_words, write_json, write_table
from dpps_simpipe.observation.sky import Horizon
from dpps_simpipe.provenance import begin_record, simulation_inputs, write_record
from dpps_simpipe.resuming import claimed, sweep
from dpps_simpipe.streams import (
    Layout,
    StreamBlock,
    StreamIdentity,
    Tracking,
    link_triggers,
    write_telescope_stream,
)
from dpps_simpipe.workers import run_jobs

__all__ = ["take"]

_FILE_KINDS = {"pedestal": "TEL_CAL", "flat-field": "TEL_CAL", "muon": "TEL_MUON", "stars": "TEL_CAL"}
_DATA_TYPES = {"muon": "MuonCandidate"}
_UNITS = {
    "time": u.s,
    "true_energy": u.TeV,
    "impact": u.m,
    "impact_angle": u.deg,
    "true_alt": u.deg,
    "true_az": u.deg,
    "ring_radius": u.deg,
}


def _described(run: CalibrationRun) -> dict[str, Any]:
    """Give the description in plain values; of the model the content counts, not where it lies."""
    return {key: value for key, value in asdict(run).items() if key != "model"}


def _fingerprint(run: CalibrationRun, scope: str) -> str:
    values = {
        "run": _described(run),
        "scope": scope,
        "model": run.load_array().model_sha256,
        "software": __version__,
    }
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()


def _tracking(run: CalibrationRun, array: Array) -> Tracking:
    """Give the nominal pointing.

    Raises
    ------
    InvalidInput
        A star field is too low.
    """
    if not isinstance(run.light, Stars):
        return Tracking(
            mode="fixed_horizontal",
            altitude_min_deg=run.altitude_deg,
            altitude_max_deg=run.altitude_deg,
            azimuth_mean_deg=run.azimuth_deg,
        )
    track = Horizon.of(array, run.start).track(run.light.pointing, run.duration_s)
    if track.altitude_min_deg < LEAST_ALTITUDE_DEG:
        raise InvalidInput(
            f"calibration run description: stars.pointing is at {track.altitude_min_deg:.1f} deg altitude",
            code="simpipe.calibration-run-invalid",
            next_step=f"Choose a start at which it is above {LEAST_ALTITUDE_DEG:g} deg at {array.site}.",
            key="stars.pointing",
        )
    return Tracking(
        mode="fixed_icrs",
        altitude_min_deg=track.altitude_min_deg,
        altitude_max_deg=track.altitude_max_deg,
        azimuth_mean_deg=track.azimuth_mean_deg,
        azimuth_range_deg=track.azimuth_range_deg,
        ra_deg=run.light.pointing.ra_deg,
        dec_deg=run.light.pointing.dec_deg,
    )


def _layout(run: CalibrationRun, output: Path, scope: str) -> Layout:
    array = run.load_array()
    block = StreamBlock(
        sb_id=run.sb_id,
        obs_id=run.obs_id,
        start=run.start,
        duration_seconds=run.duration_s,
        subarray_id=array.subarray_id,
        site=SITES[array.site],
        tracking=_tracking(run, array),
        seed=run.seed,
        origin=ORIGIN,
        maker=f"simulated by dpps-simpipe {__version__}",
        email="simpipe@example.org",
    )
    return Layout(output=output, scope=scope, block=block)


def _stream_path(run: CalibrationRun, layout: Layout, tel_id: int) -> Path:
    name = next(one.name for one in run.load_array().telescopes if one.tel_id == tel_id)
    return layout.telescope_file(tel_id, name, kind=_FILE_KINDS[run.kind])


def _truth_path(run: CalibrationRun, output: Path, tel_id: int, what: str) -> Path:
    return output / "truth" / f"OBSID{run.obs_id:019d}.tel_{tel_id:03d}.{what}.ecsv"


def _take_telescope(run: CalibrationRun, layout: Layout, tel_id: int) -> None:
    """Take the run with one telescope; its truth of events, written last, says that it is complete."""
    output = layout.output
    events = _truth_path(run, output, tel_id, "events")
    if events.exists():
        return
    path = _stream_path(run, layout, tel_id)
    path.unlink(missing_ok=True)  # of a try that was killed before its truth was written
    telescope = TelescopeRun(run, tel_id)
    meta = {
        "generator": f"dpps-simpipe {__version__}",
        "kind": run.kind,
        "seed": run.seed,
        "obs_id": run.obs_id,
        "tel_id": tel_id,
        "instrument_model": model_words(run.load_array()),
        "injected": json.loads(json.dumps(_described(run), default=str)),
    }
    write_table(_truth_path(run, output, tel_id, "pixels"), _pixel_table(telescope), meta)
    if telescope.stars():
        write_table(_truth_path(run, output, tel_id, "stars"), _star_table(telescope), meta)
    write_telescope_stream(
        path,
        block=layout.block,
        camera=telescope.stream,
        identity=StreamIdentity(
            tel_id=tel_id,
            data_type=_DATA_TYPES.get(run.kind, "CalibrationSim"),
            title=f"simulated {run.kind} events of {telescope.telescope.name}, seed {run.seed}",
        ),
        events=_at_least_one(telescope),
        n_events=run.events,
    )
    write_table(events, _event_table(telescope), {**meta, "recorded": len(telescope.truth)})


def _at_least_one(telescope: TelescopeRun) -> Any:
    """Give the events; none at all is an error, before an empty file exists."""
    count = 0
    for event in telescope.events():
        count += 1
        yield event
    if count == 0:
        raise InvalidInput(
            f"none of {telescope.run.events} muons triggered {telescope.telescope.name}",
            code="simpipe.calibration-run-empty",
            next_step="Throw more muons, or nearer: events, impact_max, view_cone.",
            tel_id=telescope.telescope.tel_id,
        )


def _pixel_table(telescope: TelescopeRun) -> QTable:
    pixels = telescope.pixels
    channels = ("high", "low")[: len(pixels.pedestal)]
    return QTable(
        {
            "pixel_id": np.arange(len(pixels.gain)),
            "gain": pixels.gain,
            "efficiency": pixels.efficiency,
            **{f"pedestal_{name}_counts": pixels.pedestal[index] for index, name in enumerate(channels)},
            "time_offset": pixels.time_offset * u.ns,
            "steady_rate": telescope.steady_rate() / u.ns,
        }
    )


def _star_table(telescope: TelescopeRun) -> QTable:
    stars = telescope.stars()
    return QTable(
        {
            "name": [one.name for one in stars],
            "fov_lon": [one.lon_deg for one in stars] * u.deg,
            "fov_lat": [one.lat_deg for one in stars] * u.deg,
            "nominal_fov_lon": [one.nominal_lon_deg for one in stars] * u.deg,
            "nominal_fov_lat": [one.nominal_lat_deg for one in stars] * u.deg,
            "rate": [float(one.rate.sum()) for one in stars] / u.ns,
            "brightest_pixel": [int(one.rate.argmax()) for one in stars],
        }
    )


def _event_table(telescope: TelescopeRun) -> QTable:
    table = QTable(rows=telescope.truth)
    table["event_id"] = table["event_id"].astype(np.int64)
    for name in table.colnames:
        if name in _UNITS:
            table[name].unit = _UNITS[name]
    return table["event_id", "time", *(name for name in table.colnames if name not in ("event_id", "time"))]


def take(
    description: Path,
    output: Path,
    *,
    scope: str = "acada",
    workers: int = 1,
    hand_over: bool = False,
    model: str = "",
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, object]:
    """Simulate a calibration run into raw streams with their truth beside.

    Killed at any time, the next call goes on with the telescopes that are missing. The content does not
    depend on the number of workers.

    Parameters
    ----------
    description : Path
        See `load_calibration_run`.
    output : Path
        Folder of the hand-over.
    scope : str
        Second component of the logical file names.
    workers : int
        Processes.
    hand_over : bool
        Whether to put a trigger link beside every stream when all are complete.
    model : str
        Instrument model: version of the package, or a folder; empty: the newest of the package.
    progress : callable or None
        Is told the number of finished telescopes and of all.

    Returns
    -------
    dict
        The manifest, with absolute paths.

    Raises
    ------
    InvalidInput
        The description or the number of workers is wrong, the run is on a day that the model does not
        describe, or nothing triggered.
    Conflict
        The output holds this run of another description.
    """
    if workers < 1:
        raise InvalidInput(
            f"{workers} workers are too few",
            code="simpipe.option-invalid",
            next_step="Give at least one worker.",
        )
    run, output = load_calibration_run(description, model), output.resolve()
    record = begin_record(
        "dpps-simpipe calibration-run",
        {**asdict(run), "scope": scope, "workers": workers},
        run.load_array(),
    )
    check_validity(load_model(run.model), f"calibration run {run.obs_id}", run.start, run.duration_s)
    fingerprint = _fingerprint(run, scope)
    layout = _layout(run, output, scope)
    manifest = output / "calibration" / f"OBSID{run.obs_id:019d}.json"
    parts = output / ".unfinished" / f"OBSID{run.obs_id:019d}"
    files = [_stream_path(run, layout, tel_id) for tel_id in run.tel_ids]
    if manifest.is_file() and not parts.exists():
        sweep(parts)
        return _handed_over(_finished(manifest, fingerprint, output), hand_over=hand_over)
    tell = progress or (lambda _done, _total: None)
    jobs = [(run, layout, tel_id) for tel_id in run.tel_ids]
    # The folder goes before anybody is told: streams that were taken away must not look as if missing.
    with claimed(parts, fingerprint, files):
        run_jobs(_take_telescope, jobs, workers, lambda done: tell(done, len(jobs)))
        kinds = ("pixels", "events") + (("stars",) if run.kind == "stars" else ())
        truth = [_truth_path(run, output, tel_id, kind) for tel_id in run.tel_ids for kind in kinds]
        write_record(
            record,
            manifest.with_suffix(".provenance.log"),
            used=simulation_inputs(description, "calibration run description", run.model, ""),
            made=[*((path, "stream") for path in files), *((path, "truth") for path in truth)],
        )
        write_json(
            manifest,
            {
                "dpps_calibration_run": 1,
                "kind": run.kind,
                "obs_id": run.obs_id,
                "sb_id": run.sb_id,
                "events": run.events,
                "files": [str(path.relative_to(output)) for path in files],
                "truth": [str(path.relative_to(output)) for path in truth],
                "seed": run.seed,
                "instrument_model": model_words(run.load_array()),
                "description_sha256": fingerprint,
                "software": f"dpps-simpipe {__version__}",
            },
        )
    return _handed_over(_finished(manifest, fingerprint, output), hand_over=hand_over)


def _handed_over(manifest: dict[str, Any], *, hand_over: bool) -> dict[str, object]:
    """Put the trigger links, if asked for, beside streams that nobody has taken away yet."""
    if hand_over:
        link_triggers([Path(name) for name in manifest["files"] if Path(name).is_file()])
    return manifest


def _finished(path: Path, fingerprint: str, output: Path) -> dict[str, Any]:
    """Give the manifest of a run that is complete.

    Raises
    ------
    Conflict
        It is from another description.
    """
    manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if manifest["description_sha256"] != fingerprint:
        raise Conflict(
            f"{path} is of another description",
            code="simpipe.output-exists",
            next_step="Choose another output, or another obs_id.",
            path=path,
        )
    absolute = {key: [str(output / name) for name in manifest[key]] for key in ("files", "truth")}
    return {
        **manifest,
        **absolute,
        "manifest": str(path),
        "provenance": str(path.with_suffix(".provenance.log")),
        "output": str(output),
    }
