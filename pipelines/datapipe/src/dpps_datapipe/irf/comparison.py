"""``dpps-datapipe compare-irf``: the curves of a response beside the official prod5 ones."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dpps.domain.steps import ConfigurationError, MissingInput, StepParser, StorageError
from dpps_datapipe.dl3.sky import SITES
from dpps_datapipe.irf.claims import claimed
from dpps_datapipe.irf.findings import Limits
from dpps_datapipe.irf.reading import ResponseFile, read_response
from dpps_datapipe.irf.reference import curves_of, reference_curves
from dpps_datapipe.origins import Place
from dpps_datapipe.outputs import check_outputs, written_aside

__all__ = ["compare_curves", "differing_points", "plot_comparison", "run"]

_CURVES = {
    "effective_area": ("Effective area / m²", True),
    "angular_resolution": ("68 % containment / deg", True),
    "energy_resolution": ("Energy resolution", False),
    "background_rate": ("Background / (s⁻¹ sr⁻¹ in the bin)", True),
}
#: What the reference was simulated for.
_SITE, _ZENITH_DEG = "CTAO-North", 20.0
#: Responses of so near a zenith angle hardly differ; sites of so near a place are one.
_NEAR_ZENITH_DEG, _NEAR_PLACE_DEG = 2.0, 0.5
#: A description without a place puts its array here.
_NOWHERE_DEG = 0.01

_PICTURES = (".png", ".pdf", ".svg")


def _parser() -> StepParser:
    parser = StepParser(
        prog="dpps-datapipe compare-irf",
        description="Draw the curves of a response beside those of the official prod5 response (CTAO-North).",
    )
    parser.add_argument("file", type=Path, help="response (FITS, plain or gzipped)")
    parser.add_argument("--plot", type=Path, required=True, help="picture (PNG, PDF, SVG)")
    parser.add_argument("--title", default="", help="what the response is of")
    parser.add_argument("--json", action="store_true", help="print the ratios to prod5 as JSON")
    return parser


def _site(place: Place | None) -> str | None:
    """Name the site at a place; None: not said."""
    if place is None or max(abs(place.longitude_deg), abs(place.latitude_deg)) < _NOWHERE_DEG:
        return None
    for name, (longitude, latitude, _) in SITES.items():
        apart = max(abs(place.longitude_deg - longitude), abs(place.latitude_deg - latitude))
        if apart < _NEAR_PLACE_DEG:
            return name
    return f"latitude {place.latitude_deg:.2f} deg, longitude {place.longitude_deg:.2f} deg"


def differing_points(file: ResponseFile) -> list[str]:
    """Say where a response was simulated for another point than the reference.

    Parameters
    ----------
    file : ResponseFile
        The response.

    Returns
    -------
    list of str
        A sentence for another site, and for another zenith angle; also where the response does not say.
    """
    site = _site(file.origins.place)
    zenith = file.of_kind("AEFF_2D")[0].header.get("ZEN_PNT")
    said = []
    if site != _SITE:
        said.append(f"{file.path.name} is of {site or 'a site that it does not name'}, prod5 of {_SITE}")
    if zenith is None or abs(float(zenith) - _ZENITH_DEG) > _NEAR_ZENITH_DEG:
        angle = "a zenith angle that it does not name" if zenith is None else f"zenith {float(zenith):g} deg"
        said.append(f"{file.path.name} is of {angle}, prod5 of {_ZENITH_DEG:g} deg")
    return said


def compare_curves(file: ResponseFile) -> dict[str, Any]:
    """Give ratios to prod5 in the bins that the response claims.

    Parameters
    ----------
    file : ResponseFile
        The response.

    Returns
    -------
    dict
        ``energy_min_tev``, ``energy_max_tev`` of the bins, a list of ratios for each curve (None where one
        of the two says nothing), ``warnings`` (see `differing_points`) and ``reference`` with the source, its
        authors and licence.

    Raises
    ------
    MissingInput
        If no bin of the comparison lies in the claimed range.
    """
    ours, theirs = curves_of(file), reference_curves()
    limits = claimed(file, Limits())
    low, high = (ours[name].to_value("TeV") for name in ("energy_min", "energy_max"))
    rounding = 1e-3
    inside = np.ones(len(ours), dtype=bool)
    if limits.energy_min_tev is not None:
        inside &= low >= limits.energy_min_tev * (1.0 - rounding)
    if limits.energy_max_tev is not None:
        inside &= high <= limits.energy_max_tev * (1.0 + rounding)
    if not inside.any():
        raise MissingInput("it claims no whole bin of the comparison", path=file.path)
    ratios = {
        name: np.asarray(ours[name], dtype=float)[inside] / np.asarray(theirs[name], dtype=float)[inside]
        for name in _CURVES
    }
    return {
        "energy_min_tev": low[inside].tolist(),
        "energy_max_tev": high[inside].tolist(),
        "ratios": {
            name: [float(one) if np.isfinite(one) else None for one in values]
            for name, values in ratios.items()
        },
        "warnings": differing_points(file),
        "reference": {key: str(theirs.meta[key]) for key in ("source", "authors", "doi", "licence")},
    }


def plot_comparison(file: ResponseFile, path: Path, title: str) -> None:
    """Draw the curves of a response and those of prod5.

    Parameters
    ----------
    file : ResponseFile
        The response.
    path : pathlib.Path
        New picture.
    title : str
        What the response is of.

    Raises
    ------
    ConfigurationError
        If the name of the picture tells no known format.
    StorageError
        If it cannot be written.
    """
    if path.suffix.lower() not in _PICTURES:
        raise ConfigurationError(f"{path} is no {', '.join(_PICTURES)} by its name", "name the picture so")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    ours, theirs = curves_of(file), reference_curves()
    limits = claimed(file, Limits())
    energies = np.sqrt(ours["energy_min"].to_value("TeV") * ours["energy_max"].to_value("TeV"))
    figure = Figure(figsize=(10, 7), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    for axes, (name, (label, logarithmic)) in zip(figure.subplots(2, 2).flat, _CURVES.items(), strict=True):
        for table, style, said in ((theirs, "-", "prod5, 4 LST and 9 MST"), (ours, "o", title or "response")):
            values = np.asarray(table[name], dtype=float)
            axes.plot(energies, np.where(values > 0.0, values, np.nan), style, ms=5, label=said)
        if not (np.asarray(ours[name], dtype=float) > 0.0).any():
            axes.text(0.5, 0.9, "no event of ours: too few simulated", transform=axes.transAxes, ha="center")
        if limits.energy_min_tev is not None and limits.energy_max_tev is not None:
            axes.axvspan(limits.energy_min_tev, limits.energy_max_tev, color="0.5", alpha=0.12, lw=0)
        axes.set(xscale="log", xlabel="Energy / TeV", ylabel=label)
        if logarithmic:
            axes.set_yscale("log")
        axes.grid(alpha=0.3)
    figure.axes[0].legend(fontsize=8)
    meta = theirs.meta
    figure.suptitle(
        f"shaded: what the response claims. prod5: doi {meta['doi']}, {meta['licence']}", fontsize=9
    )
    _save(figure, path)


def _save(figure: Any, path: Path) -> None:
    """Write a picture that appears when it is complete."""
    with written_aside([path]) as names:
        try:
            figure.savefig(names[path], format=path.suffix.removeprefix(".").lower())
        except OSError as error:
            raise StorageError(f"cannot be written: {error}", path=path) from error


def run(arguments: Sequence[str]) -> None:
    """Draw the comparison of a command line."""
    options = _parser().parse_args(arguments)
    check_outputs([options.plot], [options.file])
    file = read_response(options.file)
    answer = compare_curves(file)
    plot_comparison(file, options.plot, options.title)
    for words in answer["warnings"]:
        sys.stderr.write(f"WARNING: {words}: the ratios compare different things\n")
    if options.json:
        sys.stdout.write(json.dumps(answer) + "\n")
        return
    for name, values in answer["ratios"].items():
        known = [value for value in values if value is not None]
        text = f"{np.median(known):.2f} in the middle of {len(known)} bins" if known else "no bin"
        sys.stdout.write(f"{name:<20} ours over prod5: {text}\n")
    sys.stdout.write(f"written: {options.plot}\n")
