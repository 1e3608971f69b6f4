"""Pictures of an analysis: squared distances, counts, spectrum."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u

from dpps_science.extraction import ThetaSquared
from dpps_science.files import write_whole
from dpps_science.fitting import FLUX_UNIT, Fitted
from dpps_science.product import Spectrum

__all__ = ["draw_spectrum", "draw_theta_squared", "flux_axes", "save"]

_DPI = 110
#: Fluxes are shown times energy squared.
SED_UNIT = "erg cm-2 s-1"
_LABEL_SIMULATED = "simulated"


def _figure(width: float, height: float) -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots()


def save(figure: Any, path: Path) -> None:
    """Write a picture as a whole or not at all."""
    content = io.BytesIO()
    figure.savefig(content, format=path.suffix.removeprefix("."))
    write_whole(path, content.getvalue())


def _title(meta: dict[str, Any]) -> str:
    label = f" ({_LABEL_SIMULATED})" if meta["simulated"] else ""
    return f"{meta['target']['name']}{label}, {meta['live_seconds'] / 60.0:.1f} min live"


def draw_theta_squared(theta: ThetaSquared, meta: dict[str, Any], path: Path) -> None:
    """Draw the squared distances from the source and from its mirror image.

    Parameters
    ----------
    theta : ThetaSquared
        The histograms.
    meta : dict
        Of the spectrum.
    path : pathlib.Path
        New picture.
    """
    figure, axes = _figure(7.0, 4.2)
    middle = (theta.edges_deg2[:-1] + theta.edges_deg2[1:]) / 2.0
    axes.stairs(theta.off, theta.edges_deg2, fill=True, color="0.8", label="mirrored place (background)")
    axes.errorbar(middle, theta.on, yerr=np.sqrt(theta.on), fmt="o", ms=4, color="C0", label="source")
    axes.axvline(meta["on_radius_deg"] ** 2, color="C3", ls="--", lw=1, label="region of the source")
    counts = meta["counts"]
    axes.set(
        xlabel="Squared distance / deg²",
        ylabel="Events",
        xlim=(0.0, theta.edges_deg2[-1]),
        title=(
            f"{_title(meta)}\n{counts['on']} on, {counts['alpha'] * counts['off']:.1f} background, "
            f"{counts['significance']:.1f} σ"
        ),
    )
    axes.set_ylim(bottom=0.0)
    axes.legend(fontsize=8)
    save(figure, path)


def _sed(energy: Any, flux: Any) -> Any:
    return (energy**2 * flux).to_value(SED_UNIT)


def flux_axes(spectrum: Spectrum) -> tuple[Any, Any]:
    """Begin a picture of a spectrum with its flux points; upper limits where nothing is seen."""
    from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter

    figure, axes = _figure(7.0, 4.6)
    points = spectrum.points
    energy = points["e_ref"]
    seen = np.nan_to_num(np.asarray(points["sqrt_ts"], dtype=float)) >= 2.0
    width = [
        (energy - points["e_min"])[seen].to_value("TeV"),
        (points["e_max"] - energy)[seen].to_value("TeV"),
    ]
    error = _sed(energy, points["dnde_err"])[seen]
    axes.errorbar(
        energy[seen].to_value("TeV"),
        _sed(energy, points["dnde"])[seen],
        xerr=width,
        yerr=error,
        fmt="o",
        ms=4,
        color="C0",
        label="flux points",
    )
    limit = _sed(energy, points["dnde_ul"])[~seen]
    if limit.size:
        axes.errorbar(
            energy[~seen].to_value("TeV"),
            limit,
            yerr=0.3 * limit,
            uplims=True,
            fmt="_",
            color="C0",
            alpha=0.6,
            label="upper limits (95 %)",
        )
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="Energy / TeV",
        ylabel="E² dN/dE / (erg cm⁻² s⁻¹)",
        title=_title(spectrum.meta),
    )
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FormatStrFormatter("%g"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(alpha=0.3)
    return figure, axes


def draw_band(
    axes: Any, energies_tev: Any, flux: Callable[[Any], Any], error: Callable[[Any], Any], label: str
) -> None:
    """Draw a fitted model with its error."""
    factor = (energies_tev**2 * u.TeV**2 * u.Unit(FLUX_UNIT)).to_value(SED_UNIT)
    value, spread = flux(energies_tev) * factor, error(energies_tev) * factor
    axes.plot(energies_tev, value, color="C0", lw=1.5, label=label)
    axes.fill_between(
        energies_tev, np.clip(value - spread, 1e-30, None), value + spread, color="C0", alpha=0.2
    )


def draw_spectrum(spectrum: Spectrum, fitted: Fitted, path: Path) -> None:
    """Draw flux points and fitted model.

    Parameters
    ----------
    spectrum : Spectrum
        Points.
    fitted : Fitted
        Model.
    path : pathlib.Path
        New picture.
    """
    figure, axes = flux_axes(spectrum)
    energies = np.geomspace(spectrum.meta["energy_min_tev"], spectrum.meta["energy_max_tev"], 60)
    draw_band(axes, energies, fitted.flux, fitted.flux_error, f"fitted {fitted.name.replace('-', ' ')}")
    axes.legend(fontsize=8)
    save(figure, path)
