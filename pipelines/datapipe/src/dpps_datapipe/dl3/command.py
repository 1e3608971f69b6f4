"""``dpps-datapipe make-dl3``."""

import json
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dpps.domain.steps import ConfigurationError, StepParser
from dpps_datapipe.dl3.agreement import check_agreement, origins_of_events
from dpps_datapipe.dl3.clock import SCALES, Clock
from dpps_datapipe.dl3.events import Columns, read_events, select_events
from dpps_datapipe.dl3.grid import Choice, GridPoint, choose_points, grid_point
from dpps_datapipe.dl3.headers import instrument_header, product_header
from dpps_datapipe.dl3.notes import check_block, read_notes
from dpps_datapipe.dl3.observation import Observation, observe
from dpps_datapipe.dl3.responses import DEVIATION_IN_CLAIM, response_hdus
from dpps_datapipe.dl3.writing import event_list_hdus, write_event_list
from dpps_datapipe.irf.check import check_response
from dpps_datapipe.irf.claims import BACKGROUND_CLAIM, main_area, write_claim
from dpps_datapipe.irf.command import refusal
from dpps_datapipe.irf.findings import Limits
from dpps_datapipe.irf.reading import read_response
from dpps_datapipe.origins import write_origins
from dpps_datapipe.outputs import check_outputs
from dpps_datapipe.provenance import Activity, configuration_hash, file_checksum

__all__ = ["make_event_list", "run"]


def _parser() -> StepParser:
    parser = StepParser(
        prog="dpps-datapipe make-dl3",
        description=(
            "Make the event list of one observation block (GADF 0.3): events that pass the selection, "
            "good time intervals, pointing, and the response at the observation."
        ),
    )
    parser.add_argument("--events", type=Path, required=True, help="events with models applied (DL2, HDF5)")
    parser.add_argument("--obs-id", type=int, help="observation block, where the events are of several")
    parser.add_argument("--cuts", type=Path, help="event selection (FITS, plain or gzipped)")
    parser.add_argument(
        "--irf", type=Path, action="append", required=True, help="response; several: a grid to interpolate"
    )
    parser.add_argument(
        "--irf-zenith", type=float, metavar="DEG", help="zenith of a single response that does not say it"
    )
    for name, unit in (("energy-min", "TEV"), ("energy-max", "TEV"), ("offset-max", "DEG")):
        parser.add_argument(
            f"--irf-{name}", type=float, metavar=unit, help="claimed range (default: the response's)"
        )
    parser.add_argument(
        "--irf-without-background", action="store_true", help="do not claim the background of the response"
    )
    parser.add_argument("--observation", type=Path, help="what the events do not say (YAML)")
    parser.add_argument("--output", type=Path, required=True, help="event list (FITS)")
    parser.add_argument("--time-scale", choices=SCALES, default="tt", help="of the times (default: tt)")
    for name, default in (
        ("energy", Columns().energy),
        ("geometry", Columns().geometry),
        ("gammaness", Columns().gammaness),
    ):
        parser.add_argument(
            f"--{name}-reconstruction",
            dest=name,
            default=default,
            help=f"prefix of the columns (default: {default})",
        )
    parser.add_argument("--provenance-log", type=Path, help="provenance record")
    parser.add_argument("--json", action="store_true", help="print a summary as JSON")
    return parser


def _claim(options: Namespace) -> Limits:
    return Limits(
        energy_min_tev=options.irf_energy_min,
        energy_max_tev=options.irf_energy_max,
        offset_max_deg=options.irf_offset_max,
        claims_background=False if options.irf_without_background else None,
    )


def _point(path: Path, zenith: float | None, claim: Limits) -> GridPoint:
    """Read a response, refused if it does not bear what is claimed of it; the claim goes into its header."""
    file = read_response(path)
    findings = check_response(file, claim)
    if any(finding.refuses for finding in findings):
        raise refusal(file, findings)
    area = main_area(file)
    write_claim(area.header, claim)
    if zenith is not None and "ZEN_PNT" not in area.header:
        return GridPoint(
            file=file,
            zenith=zenith,
            azimuth=0.0,
            field_angle=0.0,
            field_declination=0.0,
            field_inclination=0.0,
        )
    return grid_point(file)


def _points(options: Namespace) -> list[GridPoint]:
    if options.irf_zenith is not None and len(options.irf) > 1:
        raise ConfigurationError("--irf-zenith is for a single response")
    claim = _claim(options)
    return [_point(path, options.irf_zenith, claim) for path in options.irf]


def _choice(points: Sequence[GridPoint], observation: Observation) -> Choice:
    track, middle = observation.pointing, observation.pointing.middle
    return choose_points(points, 90.0 - float(track.altitude[middle]), float(track.azimuth[middle]) % 360.0)


def _has_background(choice: Choice) -> bool:
    """Whether all responses have a background and claim it."""
    files = [point.file for point in choice.points]
    claimed = all(bool(main_area(file).header.get(BACKGROUND_CLAIM, True)) for file in files)
    return claimed and all(file.of_kind("BKG_2D", "BKG_3D") for file in files)


def _psf_deviation(hdus: Sequence[Any]) -> float:
    """How far the containment is from that of the response at most, in claimed bins."""
    headers = [hdu.header for hdu in hdus]
    return max((float(one[DEVIATION_IN_CLAIM]) for one in headers if DEVIATION_IN_CLAIM in one), default=0.0)


def make_event_list(options: Namespace, activity: Activity) -> dict[str, Any]:
    """Make an event list.

    Parameters
    ----------
    options : argparse.Namespace
        As the command line has them.
    activity : Activity
        Where inputs and outputs are recorded.

    Returns
    -------
    dict
        Summary: numbers of events, good time, note on the response.

    Raises
    ------
    StepError
        With the exit code of the interface.
    """
    columns = Columns(energy=options.energy, geometry=options.geometry, gammaness=options.gammaness)
    notes = read_notes(options.observation)
    observed = read_events(options.events, columns, options.obs_id)
    unchecked = check_block(notes, options.observation, observed.obs_id)
    selected = select_events(observed, options.cuts)
    points = _points(options)
    unchecked += check_agreement(observed, options.cuts, [point.file for point in points])
    observation = observe(observed, selected, notes, Clock(scale=options.time_scale))
    choice = _choice(points, observation)
    files = [
        ("events", options.events),
        ("event-selection", options.cuts),
        ("observation", options.observation),
    ]
    files += [("response", path) for path in options.irf]
    used = [(role, path) for role, path in files if path is not None]
    # The events are recorded, with their metadata, by the reader of ctapipe.
    for role, path in used[1:]:
        activity.used(path, role)
    product = product_header(
        observation,
        inputs=[(role, file_checksum(path)) for role, path in used],
        configuration=configuration_hash({key: str(value) for key, value in vars(options).items()}),
    )
    response = response_hdus(choice, instrument_header(observation))
    hdus = [*event_list_hdus(observation), *response]
    hdus[0].header["IRFNOTE"] = choice.note
    has_background = _has_background(choice)
    hdus[0].header[BACKGROUND_CLAIM] = (has_background, "whether the background can be used")
    write_origins(hdus[0].header, origins_of_events(observed, options.cuts))
    for words in unchecked:
        hdus[0].header["HISTORY"] = words
    write_event_list(options.output, product, hdus)
    activity.generated(options.output, "event-list")
    return {
        "output": str(options.output),
        "obs_id": observation.obs_id,
        "events_read": len(observed.table),
        "events_written": len(observation.events),
        "good_seconds": observation.good_seconds,
        "live_fraction": observation.live_fraction,
        "dead_time_assumed": observation.dead_time_assumed,
        "good_intervals": len(observation.good_intervals),
        "response": choice.note,
        "background": has_background,
        "psf_deviation": _psf_deviation(response),
        "not_checked": unchecked,
    }


def run(arguments: Sequence[str]) -> None:
    """Make the event list of a command line."""
    options = _parser().parse_args(arguments)
    inputs = [options.events, *options.irf, options.cuts, options.observation]
    logs = [] if options.provenance_log is None else [options.provenance_log]
    check_outputs([options.output, *logs], [path for path in inputs if path is not None])
    with Activity("dpps-datapipe-make-dl3", vars(options), log=options.provenance_log) as activity:
        summary = make_event_list(options, activity)
    if summary["dead_time_assumed"]:
        sys.stderr.write("WARNING: the dead time is not known: none is assumed (note dead_time)\n")
    if len(options.irf) == 1:
        sys.stderr.write(f"WARNING: nothing to interpolate: {summary['response']}\n")
    if not summary["background"]:
        sys.stderr.write(
            "WARNING: the response claims no background: take it from beside the source (BKGCLAIM)\n"
        )
    if summary["psf_deviation"] > Limits().containment_tolerance:
        sys.stderr.write(
            f"WARNING: three Gaussians differ by {summary['psf_deviation']:.1%} in containment from the "
            f"point spread function of the response ({DEVIATION_IN_CLAIM})\n"
        )
    for words in summary["not_checked"]:
        sys.stderr.write(f"WARNING: {words}\n")
    if options.json:
        sys.stdout.write(json.dumps(summary) + "\n")
        return
    sys.stdout.write(
        f"{summary['output']}: {summary['events_written']} of {summary['events_read']} events in "
        f"{summary['good_intervals']} good time intervals of {summary['good_seconds']:.1f} s, "
        f"live {summary['live_fraction']:.2%}; response {summary['response']}\n"
    )
