"""``dpps-simpipe-plan``: plan a simulation production, look at it, run a row of it."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dpps.domain.steps import StepParser, run_step

if TYPE_CHECKING:
    from dpps_simpipe.planning.grid import GridPoint
    from dpps_simpipe.planning.plan import Plan

__all__ = ["main"]

_BACK_ENDS = ("dpps-simpipe", "simtools")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns
    -------
    int
        0; 101 when the plan is wrong, 102 when a file cannot be written, 105 when something is missing, 106
        when a pilot cannot bear what is asked.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    return run_step("dpps-simpipe-plan", lambda: _do(words), as_json="--json" in words)


def _do(words: Sequence[str]) -> None:
    options = _parser().parse_args(words)
    result, text = options.run(options)
    sys.stdout.write(json.dumps(result, indent=2) + "\n" if options.json else text)


def _parser() -> StepParser:
    parser = StepParser(prog="dpps-simpipe-plan", description="Plan simulation productions.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    make = commands.add_parser("make", help="make the table of runs from a plan")
    make.add_argument("plan", type=Path, help="the plan (YAML)")
    make.add_argument("--output", type=Path, default=Path("job_grid.ecsv"), help="the table (ECSV)")
    make.add_argument("--tasks", type=Path, help="table of tasks (CSV) for a production file of dpps")
    make.add_argument("--dry-run", action="store_true", help="say what would be planned, write nothing")
    make.set_defaults(run=_make)
    command = commands.add_parser("command", help="print the command that simulates a row of the table")
    command.add_argument("job_grid", type=Path, help="the table of runs")
    command.add_argument("row", type=int, help="its row, from 1")
    command.add_argument("--back-end", choices=_BACK_ENDS, default=_BACK_ENDS[0])
    command.add_argument("--output", type=Path, default=Path("simulated"), help="folder of the run's files")
    command.add_argument("--seed", type=int, default=1)
    command.set_defaults(run=_command)
    run = commands.add_parser("run", help="simulate a row of the table on our simulator")
    run.add_argument("job_grid", type=Path, help="the table of runs")
    run.add_argument("row", type=int, help="its row, from 1")
    run.add_argument("--output", type=Path, required=True, help="file of events (HDF5)")
    run.add_argument("--seed", type=int, default=1)
    run.add_argument("--workers", type=int, default=1)
    run.set_defaults(run=_run)
    check = commands.add_parser("back-ends", help="say which simulation programs can run here")
    check.set_defaults(run=_back_ends)
    manifest = commands.add_parser("manifest", help="check the manifest of a finished run")
    manifest.add_argument("path", type=Path)
    manifest.set_defaults(run=_manifest)
    limits = commands.add_parser("limits", help="derive limits from pilot runs, for the plan")
    limits.add_argument("pilots", type=Path, nargs="+", metavar="PILOT", help="events of pilot runs (HDF5)")
    limits.add_argument("--fraction", type=float, default=0.99, help="of triggered events (default 0.99)")
    limits.add_argument("--nsb-rate", type=float, help="photons/cm2/ns/sr (default: the dark night)")
    limits.add_argument("--output", type=Path, required=True, help="the table of limits (ECSV)")
    limits.set_defaults(run=_limits)
    pilot = commands.add_parser("pilot", help="derive triggered fractions from a pilot run, for the plan")
    pilot.add_argument("pilots", type=Path, nargs="+", metavar="FILE", help="events of one pilot (HDF5)")
    pilot.add_argument("--bins-per-decade", type=int, default=5, help="bins of true energy (default 5)")
    pilot.add_argument(
        "--confidence", type=float, default=0.9, help="of the fractions' lower limits (default 0.9)"
    )
    pilot.add_argument("--output", type=Path, required=True, help="the table of fractions (ECSV)")
    pilot.set_defaults(run=_pilot)
    for one in (make, command, run, check, manifest, limits, pilot):
        one.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _make(options: argparse.Namespace) -> tuple[Any, str]:
    from dpps_simpipe.planning.grid import jobs_of, points_of, spectral_indices
    from dpps_simpipe.planning.jobs import write_jobs
    from dpps_simpipe.planning.plan import load_plan
    from dpps_simpipe.planning.tasks import write_tasks

    plan = load_plan(options.plan)
    points = points_of(plan)
    if not options.dry_run:
        jobs = list(jobs_of(plan, points))
        indices = spectral_indices(plan)
        write_jobs(options.output, jobs, production=plan.production, spectral_index=indices)
        if options.tasks is not None:
            write_tasks(options.tasks, plan, jobs)
    told = _told(plan, points)
    told["job_grid"] = None if options.dry_run else str(options.output)
    return told, _table(told)


def _told(plan: Plan, points: Sequence[GridPoint]) -> dict[str, Any]:
    rows = [
        {
            "primary": one.primary,
            "zenith_deg": one.zenith_deg,
            "azimuth_deg": one.azimuth_deg,
            "nsb_rate": one.nsb_rate,
            "energy_tev": list(one.energy_tev),
            "core_scatter_max_m": one.core_scatter_max_m,
            "view_cone_deg": list(one.view_cone_deg),
            "showers": one.requirement.showers,
            "runs": one.runs,
            "deciding_bin_tev": one.requirement.deciding_bin_tev and list(one.requirement.deciding_bin_tev),
            "expected_triggered": _number(one.requirement.triggered),
        }
        for one in points
    ]
    told: dict[str, Any] = {
        "production": plan.production,
        "points": rows,
        "showers": sum(one.requirement.showers for one in points),
        "runs": sum(one.runs for one in points),
    }
    if plan.cost is not None:
        from dpps_simpipe.planning.cost import estimate

        cost = estimate(points, plan.cost)
        told["estimate"] = {
            "core_hours": cost.core_hours,
            "longest_run_hours": cost.longest_run_hours,
            "bytes": _number(cost.bytes),
        }
    return told


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _table(told: dict[str, Any]) -> str:
    lines = [
        f"{'primary':10}{'zenith':>8}{'azimuth':>9}{'energy (TeV)':>20}{'showers':>12}{'runs':>8}  decided by"
    ]
    for row in told["points"]:
        energy = "{:.3g} to {:.3g}".format(*row["energy_tev"])
        decided = row["deciding_bin_tev"]
        bin_text = "the plan" if decided is None else f"{decided[0]:.3g} to {decided[1]:.3g} TeV"
        lines.append(
            f"{row['primary']:10}{row['zenith_deg']:8g}{row['azimuth_deg']:9g}{energy:>20}"
            f"{row['showers']:12}{row['runs']:8}  {bin_text}"
        )
    lines.append(f"{told['runs']} runs, {told['showers']} showers")
    if cost := told.get("estimate"):
        size = "unknown without a pilot" if cost["bytes"] is None else f"{cost['bytes'] / 1e9:.3g} GB"
        lines.append(
            f"estimated: {cost['core_hours']:.3g} core hours "
            f"(the longest run {cost['longest_run_hours']:.3g} h), disk {size}"
        )
    lines.append(f"written: {told['job_grid']}" if told["job_grid"] else "nothing was written")
    return "\n".join(lines) + "\n"


def _command(options: argparse.Namespace) -> tuple[Any, str]:
    import shlex

    from dpps_simpipe.planning.back_ends import BACK_ENDS, Task

    task = Task(job_grid=options.job_grid, row=options.row, output=options.output, seed=options.seed)
    words = list(BACK_ENDS[options.back_end]().command(task))
    return words, shlex.join(words) + "\n"


def _run(options: argparse.Namespace) -> tuple[Any, str]:
    from dpps_simpipe.planning.running import run_row

    def tell(done: int, total: int) -> None:
        sys.stderr.write(f"{done} of {total} blocks\n")

    made = run_row(
        options.job_grid,
        options.row,
        options.output,
        seed=options.seed,
        workers=options.workers,
        progress=tell,
    )
    told = {
        "events": str(made.events),
        "manifest": str(made.manifest),
        "showers": made.showers,
        "triggered": made.triggered,
    }
    return told, "".join(f"{name}: {value}\n" for name, value in told.items())


def _back_ends(_options: argparse.Namespace) -> tuple[Any, str]:
    from dpps_simpipe.planning.back_ends import BACK_ENDS

    missing = {name: list(kind().missing()) for name, kind in BACK_ENDS.items()}
    lines = [
        f"{name}: {'; missing: '.join(['cannot run here', *lacking]) if lacking else 'ready'}"
        for name, lacking in missing.items()
    ]
    return missing, "\n".join(lines) + "\n"


def _limits(options: argparse.Namespace) -> tuple[Any, str]:
    from dataclasses import asdict

    from dpps_simpipe.planning.limits import write_limits
    from dpps_simpipe.planning.pilot import limits_of_pilot, read_pilot_events
    from dpps_simpipe.planning.running import DARK_NIGHT

    nsb_rate = DARK_NIGHT if options.nsb_rate is None else options.nsb_rate
    pilots = [read_pilot_events(path) for path in options.pilots]
    found = [limits_of_pilot(one, fraction=options.fraction, nsb_level=nsb_rate) for one in pilots]
    write_limits(options.output, found)
    lines = [
        f"{one.primary} at zenith {one.zenith_deg:g} deg, azimuth {one.azimuth_deg:g} deg: from "
        f"{one.energy_min_tev:.3g} TeV, within {one.core_distance_max_m:.4g} m and "
        f"{one.view_cone_max_deg:.3g} deg ({len(pilot.events.energy_tev)} triggered events)"
        for one, pilot in zip(found, pilots, strict=True)
    ]
    told = {"limits": [asdict(one) for one in found], "output": str(options.output)}
    return told, "\n".join([*lines, f"written: {options.output}"]) + "\n"


def _pilot(options: argparse.Namespace) -> tuple[Any, str]:
    from dpps_simpipe.planning.fractions import fractions_of_pilots, write_fractions
    from dpps_simpipe.planning.pilot import read_pilot_events

    table = fractions_of_pilots(
        [read_pilot_events(path) for path in options.pilots],
        bins_per_decade=options.bins_per_decade,
        confidence=options.confidence,
    )
    write_fractions(options.output, table)
    rows: list[dict[str, Any]] = [
        {
            "energy_tev": [float(row["energy_min"].value), float(row["energy_max"].value)],
            **{name: float(row[name]) for name in ("fraction", "measured", "triggered", "thrown")},
        }
        for row in table
    ]
    lines = [f"{'energy (TeV)':>20}{'triggered':>11}{'thrown':>9}{'fraction':>10}{'at least':>10}"]
    for row in rows:
        energy = "{:.3g} to {:.3g}".format(*row["energy_tev"])
        lines.append(
            f"{energy:>20}{row['triggered']:11.0f}{row['thrown']:9.1f}{row['measured']:10.3f}"
            f"{row['fraction']:10.3f}"
        )
    told = {"fractions": rows, "output": str(options.output)}
    return told, "\n".join([*lines, f"written: {options.output}"]) + "\n"


def _manifest(options: argparse.Namespace) -> tuple[Any, str]:
    from dpps_simpipe.planning.manifest import read_manifest

    found = read_manifest(options.path)
    told = found.model_dump(mode="json")
    names = [name for names in found.files.values() for name in names]
    return told, f"{found.job_id}: complete, {len(names)} files, {found.catalog_metadata}\n"
