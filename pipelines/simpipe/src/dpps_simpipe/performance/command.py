"""``python -m dpps_simpipe.performance``: the performance of the simulated array in one resumable command."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dpps.domain.steps import StepParser, run_step
from dpps_simpipe.performance.campaign import Campaign
from dpps_simpipe.performance.steps import Runner, Steps, run_command

if TYPE_CHECKING:
    from astropy.table import QTable

    from dpps_simpipe.performance.chain import Products

__all__ = ["main", "measure"]


def _parser() -> StepParser:
    parser = StepParser(
        prog="python -m dpps_simpipe.performance",
        description=(
            "Simulate gammas, protons and electrons, run DataPipe from their events to the instrument "
            "response, and compare effective area, resolutions and background with a reference. Killed at "
            "any time, the same command goes on."
        ),
    )
    parser.add_argument("--work", type=Path, required=True, help="folder of everything that is made")
    parser.add_argument("--output", type=Path, required=True, help="folder of tables and picture")
    parser.add_argument(
        "--configurations", type=Path, default=Path("workflows/configurations"), help="of DataPipe's steps"
    )
    parser.add_argument("--reference", type=Path, required=True, help="curves to compare with (ECSV)")
    parser.add_argument("--batches", type=int, required=True, help="runs of each population")
    parser.add_argument("--part", type=float, default=1.0, help="showers of a batch; below 1: a reduced case")
    parser.add_argument("--energy-min", type=float, default=0.0, metavar="TEV", help="for reduced cases")
    parser.add_argument("--energy-max", type=float, default=300.0, metavar="TEV", help="for reduced cases")
    parser.add_argument("--core-radius", type=float, default=800.0, metavar="M")
    parser.add_argument("--seed", type=int, default=20261121)
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")
    return parser


def _spectra() -> dict[str, Any]:
    """Give the spectra of the background: those of the event selection's and response's configuration."""
    from pyirf.spectral import IRFDOC_ELECTRON_SPECTRUM, IRFDOC_PROTON_SPECTRUM

    return {"proton": IRFDOC_PROTON_SPECTRUM, "electron": IRFDOC_ELECTRON_SPECTRUM}


def measure(
    campaign: Campaign, work: Path, output: Path, reference_path: Path, steps: Steps
) -> dict[str, object]:
    """Run a campaign and write its table, numbers and picture.

    Parameters
    ----------
    campaign : Campaign
        What to simulate.
    work : Path
        Folder of everything that is made.
    output : Path
        Folder of the result: ``performance.ecsv``, ``performance.json``, ``performance.txt``,
        ``performance.png``.
    reference_path : Path
        Curves to compare with.
    steps : Steps
        Makes the products.

    Returns
    -------
    dict
        Summary, as in ``performance.json``.

    Raises
    ------
    DppsError
        What the chain and the reference raise.
    """
    from dpps_simpipe.compare.report import write_json
    from dpps_simpipe.instrument import load_array
    from dpps_simpipe.made_with import made_with
    from dpps_simpipe.performance.chain import run_chain
    from dpps_simpipe.performance.report import draw, performance_table, read_reference, text

    reference = read_reference(reference_path)
    # The steps run in folders of their own choice.
    work, output = work.resolve(), output.resolve()
    products = run_chain(campaign, work, steps)
    curves, counts = _curves(campaign, products, reference)
    official = {str(name): str(value) for name, value in reference.meta.items()}
    named = ("authors", "title", "year", "doi", "licence")
    attribution = "reference: " + ", ".join(official[name] for name in named if name in official)
    summary: dict[str, object] = {
        **campaign.settings(),
        **made_with(load_array(campaign.array)),
        "batches": campaign.batches,
        "events": counts,
        "response": "accepted" if products.response is not None else "refused",
        "refusal": products.refusal.replace(f"{work}/", ""),
        "reference": official,
    }
    meta = {"seed": campaign.seed, "batches": campaign.batches, "attribution": attribution}
    meta["title"] = f"{campaign.array}, zenith {90 - campaign.altitude_deg:g} deg, {counts['gamma']} gammas"
    table = performance_table(curves, reference, meta)
    output.mkdir(parents=True, exist_ok=True)
    table.write(output / "performance.ecsv", format="ascii.ecsv", overwrite=True)
    (output / "performance.txt").write_text(text(table), encoding="utf-8")
    draw(table, output / "performance.png")
    write_json(output / "performance.json", summary)
    return summary


def _curves(
    campaign: Campaign, products: "Products", reference: "QTable"
) -> tuple[dict[str, Any], dict[str, int]]:
    """Compute our curves in the bins of the reference, and count events."""
    import numpy as np

    from dpps_simpipe.performance.curves import MANY, background_rate, effective_area, resolution_curves
    from dpps_simpipe.performance.events import read_events, select

    edges = np.append(reference["energy_min"].to_value("TeV"), reference["energy_max"].to_value("TeV")[-1])
    events = {name: read_events(path) for name, path in products.events.items()}
    passed = {name: select(one, products.selection) for name, one in events.items()}
    gammas = events["gamma"]
    curves: dict[str, Any] = {
        "triggered_area": effective_area(gammas, np.ones(len(gammas.energy_tev), dtype=bool), edges),
        "effective_area": effective_area(gammas, passed["gamma"], edges),
        **resolution_curves(gammas, passed["gamma"], edges, np.random.default_rng(campaign.seed)),
        "background_rate": background_rate(
            [(events[name], passed[name], spectrum) for name, spectrum in _spectra().items()], edges
        ),
    }
    many = passed["gamma"] & (gammas.multiplicity >= MANY)
    random = np.random.default_rng(campaign.seed)
    curves["effective_area_many"] = effective_area(gammas, many, edges)
    for name, curve in resolution_curves(gammas, many, edges, random).items():
        curves[f"{name}_many"] = curve
    counts = {name: len(one.energy_tev) for name, one in events.items()}
    counts |= {f"{name}, selected": int(one.sum()) for name, one in passed.items()}
    return curves, counts


def _tell(product: str) -> None:
    sys.stderr.write(f"{product} (load {os.getloadavg()[0]:.1f})\n")


def main(arguments: Sequence[str] | None = None, run: Runner = run_command) -> int:
    """Run the command.

    Parameters
    ----------
    arguments : sequence of str or None
        Command-line arguments; None: those of the process.
    run : callable
        Runs a command line of DataPipe.

    Returns
    -------
    int
        0, or the exit code of the error that is printed on standard error.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    return run_step(
        "performance", lambda: _measure(_parser().parse_args(words), run), as_json="--json" in words
    )


def _measure(options: argparse.Namespace, run: Runner) -> None:
    """Run the campaign of a command line and print what it gives."""
    campaign = Campaign(
        seed=options.seed,
        batches=options.batches,
        part=options.part,
        energy_min_tev=options.energy_min,
        energy_max_tev=options.energy_max,
        core_radius_m=options.core_radius,
    )
    steps = Steps(configurations=options.configurations.resolve(), run=run, tell=_tell)
    summary = measure(campaign, options.work, options.output, options.reference, steps)
    if options.json:
        sys.stdout.write(json.dumps(summary, indent=2) + "\n")
    else:
        sys.stdout.write((options.output / "performance.txt").read_text(encoding="utf-8"))
        sys.stdout.write(f"response: {summary['response']} {summary['refusal']}\n")
