"""The injected spectrum of a simulated night, and the pulls of a fitted one against it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from astropy import units as u
from numpy.typing import NDArray

from dpps.domain.steps import ConfigurationError, CorruptedInput, MissingInput
from dpps_science.fitting import FLUX_UNIT, MODELS
from dpps_science.plots import SED_UNIT, draw_band, flux_axes, save
from dpps_science.product import Spectrum

__all__ = ["Injected", "compare", "draw_comparison", "read_injected"]

type Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Injected:
    """An injected spectrum.

    Attributes
    ----------
    name : str
        Of the model, as the fitted ones are called.
    amplitude : float
        Differential flux at the reference energy, 1/(cm2 s TeV).
    reference_tev : float
        Reference energy, TeV.
    shape : dict
        The other parameters.
    background_fraction : float or None
        Part of the real flux of the background that was thrown.
    """

    name: str
    amplitude: float
    reference_tev: float
    shape: Mapping[str, float]
    background_fraction: float | None

    def flux(self, energy_tev: Floats) -> Floats:
        """Give the differential flux in 1/(cm2 s TeV)."""
        ratio = energy_tev / self.reference_tev
        if self.name == "power-law":
            return np.asarray(self.amplitude * ratio ** -self.shape["index"])
        slope = self.shape["alpha"] + self.shape["beta"] * np.log(ratio)
        return np.asarray(self.amplitude * ratio**-slope)


def read_injected(path: Path) -> Injected:
    """Read the spectrum from the description of a night.

    Raises
    ------
    MissingInput
        The file, or a spectrum in it, is not there.
    CorruptedInput
        It is no description of a night.
    """
    if not path.is_file():
        raise MissingInput("the file is not there", path=path)
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CorruptedInput(f"it is no YAML: {error}", path=path) from error
    if not isinstance(document, Mapping) or "dpps_observation" not in document:
        raise CorruptedInput("it is no description of a night (dpps_observation)", path=path)
    try:
        spectrum = document["source"]["spectrum"]
        name = str(spectrum["type"])
        shape = {key: float(spectrum[key]) for key in MODELS[name][1] if key != "amplitude"}
        amplitude = float(u.Quantity(spectrum["amplitude"]).to_value(FLUX_UNIT))
        reference = float(u.Quantity(spectrum["reference"]).to_value(u.TeV))
    except (KeyError, TypeError, ValueError, u.UnitsError) as error:
        raise MissingInput(f"no source.spectrum that can be compared with: {error}", path=path) from error
    background = document.get("background")
    fraction = background.get("fraction") if isinstance(background, Mapping) else None
    return Injected(
        name=name,
        amplitude=amplitude,
        reference_tev=reference,
        shape=shape,
        background_fraction=float(fraction) if isinstance(fraction, int | float) else None,
    )


def compare(spectrum: Spectrum, injected: Injected) -> dict[str, Any]:
    """Give the pulls: fitted less injected, over the error of the fit.

    Parameters
    ----------
    spectrum : Spectrum
        With the fitted parameters.
    injected : Injected
        The truth; its amplitude is taken at the reference energy of the fit.

    Returns
    -------
    dict
        ``parameters``: name, fitted, error, injected, pull; ``background_fraction``; ``significance``.

    Raises
    ------
    ConfigurationError
        The models differ.
    """
    fitted = spectrum.meta["fit"]
    if fitted["model"] != injected.name:
        raise ConfigurationError(
            f"a {fitted['model']} was fitted, a {injected.name} injected", "fit with --model as injected"
        )
    if injected.name == "log-parabola" and not np.isclose(fitted["reference_tev"], injected.reference_tev):
        raise ConfigurationError(
            f"the shape depends on the reference energy: {fitted['reference_tev']:g} TeV fitted, "
            f"{injected.reference_tev:g} TeV injected",
            "fit with --reference as injected",
        )
    at_reference = float(injected.flux(np.array(fitted["reference_tev"])))
    truth = {"amplitude": at_reference, **injected.shape}
    rows = [
        {
            "name": name,
            "fitted": value,
            "error": error,
            "injected": truth[name],
            "pull": (value - truth[name]) / error,
        }
        for name, (value, error) in spectrum.parameters.items()
    ]
    return {
        "model": injected.name,
        "reference_tev": fitted["reference_tev"],
        "parameters": rows,
        "energy_min_tev": spectrum.meta["energy_min_tev"],
        "energy_max_tev": spectrum.meta["energy_max_tev"],
        "significance": spectrum.meta["counts"]["significance"],
        "counts": spectrum.meta["counts"],
        "live_seconds": spectrum.meta["live_seconds"],
        "background_fraction": injected.background_fraction,
    }


def _fitted_flux(spectrum: Spectrum, energy_tev: Floats) -> tuple[Floats, Floats]:
    """Give flux and error of the fitted model from its parameters and covariance (linear propagation)."""
    fitted = spectrum.meta["fit"]
    values, covariance = np.array(fitted["values"]), np.array(fitted["covariance"])
    logarithm = np.log(energy_tev / fitted["reference_tev"])
    slope = values[1] + (values[2] * logarithm if len(values) > 2 else 0.0)
    flux = values[0] * np.exp(-slope * logarithm)
    gradient = [flux / values[0], -flux * logarithm]
    if len(values) > 2:
        gradient.append(-flux * logarithm**2)
    stacked = np.array(gradient)
    return flux, np.sqrt(np.einsum("ik,ij,jk->k", stacked, covariance, stacked))


def draw_comparison(spectrum: Spectrum, injected: Injected, result: Mapping[str, Any], path: Path) -> None:
    """Draw flux points, fitted and injected spectrum.

    Parameters
    ----------
    spectrum : Spectrum
        Points and fit.
    injected : Injected
        The truth.
    result : mapping
        Of `compare`; its pulls are written into the picture.
    path : pathlib.Path
        New picture.
    """
    figure, axes = flux_axes(spectrum)
    energies = np.geomspace(spectrum.meta["energy_min_tev"], spectrum.meta["energy_max_tev"], 60)
    draw_band(
        axes,
        energies,
        lambda energy: _fitted_flux(spectrum, energy)[0],
        lambda energy: _fitted_flux(spectrum, energy)[1],
        f"fitted {injected.name.replace('-', ' ')}, 1 σ",
    )
    factor = (energies**2 * u.TeV**2 * u.Unit(FLUX_UNIT)).to_value(SED_UNIT)
    axes.plot(energies, injected.flux(energies) * factor, color="C3", ls="--", label="injected")
    pulls = ", ".join(f"{one['name']} {one['pull']:+.2f} σ" for one in result["parameters"])
    axes.text(0.03, 0.04, f"pulls: {pulls}", transform=axes.transAxes, fontsize=9)
    axes.legend(fontsize=8)
    save(figure, path)
