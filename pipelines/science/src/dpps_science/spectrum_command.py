"""``dpps-science spectrum``."""

import json
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dpps.domain.steps import ConfigurationError, StepParser

if TYPE_CHECKING:
    from dpps_science.observations import EventList, Target

__all__ = ["make_spectrum", "run"]

_MODELS = ("power-law", "log-parabola")


def _parser() -> StepParser:
    parser = StepParser(
        prog="dpps-science spectrum",
        description=(
            "Spectrum of a source that was observed beside the centre of the field (wobble): events of a "
            "circular region, background of reflected regions, a model fitted by forward folding, "
            "flux points."
        ),
    )
    add = parser.add_argument
    add("--dl3", type=Path, nargs="+", required=True, help="event lists with responses (FITS)")
    add("--output", type=Path, required=True, help="spectrum (ECSV)")
    add("--plots", type=Path, metavar="FOLDER", help="theta_squared.png and spectrum.png go there")
    add("--model", choices=_MODELS, default="power-law", help="fitted model (default: power-law)")
    add("--reference", type=float, default=1.0, metavar="TEV", help="reference energy (default: 1)")
    add("--target-ra", type=float, metavar="DEG", help="source, ICRS (default: as the headers say)")
    add("--target-dec", type=float, metavar="DEG", help="source, ICRS")
    add("--on-radius", type=float, metavar="DEG", help="region (default: from the response)")
    add("--energy-min", type=float, metavar="TEV", help="of the fit (default: as the responses claim)")
    add("--energy-max", type=float, metavar="TEV", help="of the fit")
    add("--provenance-log", type=Path, help="provenance record")
    add("--json", action="store_true", help="print what was found as JSON")
    return parser


def _target(options: Namespace, lists: "Sequence[EventList]") -> "Target":
    from dpps_science.observations import Target, common_target

    ra, dec = options.target_ra, options.target_dec
    if (ra is None) != (dec is None):
        raise ConfigurationError("a target needs --target-ra and --target-dec", "give both, or neither")
    if ra is None:
        return common_target(lists)
    if not (0.0 <= ra < 360.0 and -90.0 <= dec <= 90.0):
        raise ConfigurationError(f"no place on the sky: ra {ra:g}, dec {dec:g} deg", "give degrees (ICRS)")
    return Target(name=f"target at {ra:.4f} {dec:+.4f}", ra_deg=ra, dec_deg=dec)


def make_spectrum(options: Namespace) -> dict[str, Any]:
    """Make a spectrum.

    Parameters
    ----------
    options : argparse.Namespace
        As the command line has them.

    Returns
    -------
    dict
        What the file says beside its flux points.

    Raises
    ------
    StepError
        With the exit code of the interface; nothing is written then.
    """
    from dpps_science.extraction import extract, theta_squared
    from dpps_science.fitting import fit, flux_points
    from dpps_science.observations import read_event_lists
    from dpps_science.plots import draw_spectrum, draw_theta_squared
    from dpps_science.product import Spectrum, describe, write_spectrum
    from dpps_science.provenance import Record
    from dpps_science.selection import choose_selection

    record = Record("dpps-science-spectrum", vars(options))
    if not options.reference > 0.0:
        raise ConfigurationError("the reference energy must be positive", "correct --reference")
    lists = read_event_lists(options.dl3)
    selection = choose_selection(
        lists,
        _target(options, lists),
        radius_deg=options.on_radius,
        energy_min_tev=options.energy_min,
        energy_max_tev=options.energy_max,
    )
    counts = extract(lists, selection)
    fitted = fit(counts, selection, options.model, options.reference)
    theta = theta_squared(lists, selection)
    spectrum = Spectrum(
        points=flux_points(counts, selection), meta=describe(lists, selection, counts, fitted, theta)
    )
    made: list[tuple[Path, str]] = []
    if options.plots is not None:
        draw_theta_squared(theta, spectrum.meta, options.plots / "theta_squared.png")
        draw_spectrum(spectrum, fitted, options.plots / "spectrum.png")
        made += [(options.plots / name, "picture") for name in ("theta_squared.png", "spectrum.png")]
    write_spectrum(options.output, spectrum)
    made.append((options.output, "spectrum"))
    if options.provenance_log is not None:
        record.write(options.provenance_log, used=[(path, "event-list") for path in options.dl3], made=made)
    return spectrum.meta


def _say(meta: dict[str, Any], output: Path) -> str:
    counts, fitted = meta["counts"], meta["fit"]
    lines = [
        f"{meta['target']['name']}: {counts['on']} events, {counts['alpha'] * counts['off']:.1f} background, "
        f"{counts['significance']:.1f} sigma in {meta['live_seconds']:.0f} s live",
        f"region {meta['on_radius_deg']:.3f} deg ({meta['on_radius_origin']})",
        f"energies {meta['energy_min_tev']:.3g} to {meta['energy_max_tev']:.3g} TeV "
        f"({meta['energy_origin']})",
        f"{fitted['model']} at {fitted['reference_tev']:g} TeV, wstat {fitted['statistic']:.1f} "
        f"in {fitted['bins']} bins:",
    ]
    for name, value, error in zip(fitted["parameters"], fitted["values"], fitted["errors"], strict=True):
        unit = f" {fitted['units'][name]}" if name in fitted["units"] else ""
        lines.append(f"  {name:<10} {value:.3g} +- {error:.2g}{unit}")
    return "\n".join([*lines, f"written: {output}"]) + "\n"


def run(arguments: Sequence[str]) -> None:
    """Make the spectrum of a command line."""
    options = _parser().parse_args(arguments)
    meta = make_spectrum(options)
    sys.stdout.write(json.dumps(meta) + "\n" if options.json else _say(meta, options.output))
