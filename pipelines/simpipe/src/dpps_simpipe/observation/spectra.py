"""Spectra of a source and of cosmic rays, and energies drawn from them."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from dpps_simpipe.compiled import FloatArray

__all__ = ["LITERATURE", "BumpedPowerLaw", "Cited", "EnergySampler", "LogParabola", "PowerLaw", "Spectrum"]

#: Points of the table that spectra are integrated and drawn with, per decade of energy.
_POINTS_PER_DECADE = 1000


class Spectrum(Protocol):
    """Differential flux against energy."""

    def flux(self, energy_tev: FloatArray) -> FloatArray:
        """Give the flux.

        Parameters
        ----------
        energy_tev : array
            Energies in TeV.

        Returns
        -------
        array
            Flux in cm⁻² s⁻¹ TeV⁻¹, of a diffuse one also sr⁻¹.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerLaw:
    """Amplitude times (E/reference)^-index.

    Parameters
    ----------
    amplitude : float
        Flux at the reference in cm⁻² s⁻¹ TeV⁻¹ (sr⁻¹).
    reference_tev : float
        Reference energy.
    index : float
        Positive for a falling spectrum.
    """

    amplitude: float
    reference_tev: float
    index: float

    def flux(self, energy_tev: FloatArray) -> FloatArray:
        """Give the flux, see `Spectrum`."""
        return np.asarray(self.amplitude * (energy_tev / self.reference_tev) ** -self.index)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogParabola:
    """Amplitude times (E/reference)^-(alpha + beta ln(E/reference)), natural logarithm.

    Parameters
    ----------
    amplitude : float
        Flux at the reference in cm⁻² s⁻¹ TeV⁻¹ (sr⁻¹).
    reference_tev : float
        Reference energy.
    alpha, beta : float
        Index at the reference, and curvature.
    """

    amplitude: float
    reference_tev: float
    alpha: float
    beta: float

    def flux(self, energy_tev: FloatArray) -> FloatArray:
        """Give the flux, see `Spectrum`."""
        ratio = energy_tev / self.reference_tev
        return np.asarray(self.amplitude * ratio ** -(self.alpha + self.beta * np.log(ratio)))


@dataclass(frozen=True, slots=True, kw_only=True)
class BumpedPowerLaw:
    """A power law times 1 + f (exp(g) - 1), g = exp(-((log10 E/reference - mu)/sigma)²/2).

    Parameters
    ----------
    amplitude : float
        Flux of the power law at the reference in cm⁻² s⁻¹ TeV⁻¹ sr⁻¹.
    reference_tev : float
        Reference energy.
    index : float
        Positive for a falling spectrum.
    height, centre, width : float
        f, mu and sigma.
    """

    amplitude: float
    reference_tev: float
    index: float
    height: float
    centre: float
    width: float

    def flux(self, energy_tev: FloatArray) -> FloatArray:
        """Give the flux, see `Spectrum`."""
        ratio = energy_tev / self.reference_tev
        bump = np.exp(-0.5 * ((np.log10(ratio) - self.centre) / self.width) ** 2)
        return np.asarray(self.amplitude * ratio**-self.index * (1 + self.height * np.expm1(bump)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cited:
    """A spectrum of the literature.

    Parameters
    ----------
    spectrum : Spectrum
        Diffuse flux.
    citation : str
        Where it is from.
    """

    spectrum: Spectrum
    citation: str


_PROD3B = "CTA, Description of CTA Instrument Response Functions (Production 3b Simulation), section 4.3.1"

#: Cosmic rays by primary. The first two are those that the response's background is weighted with.
LITERATURE = {
    "proton": Cited(spectrum=PowerLaw(amplitude=9.8e-6, reference_tev=1.0, index=2.62), citation=_PROD3B),
    "electron": Cited(
        spectrum=BumpedPowerLaw(
            amplitude=2.385e-9, reference_tev=1.0, index=3.43, height=1.950, centre=-0.101, width=0.741
        ),
        citation=_PROD3B,
    ),
    "helium": Cited(
        spectrum=PowerLaw(amplitude=5.71e-6, reference_tev=1.0, index=2.64),
        citation="J.R. Hoerandel, Astropart. Phys. 19 (2003) 193, table 1; energy per nucleus",
    ),
}


class EnergySampler:
    """Integral of a spectrum between two energies, and energies drawn from it.

    Parameters
    ----------
    spectrum : Spectrum
        Spectrum.
    low_tev, high_tev : float
        Energy limits.
    """

    def __init__(self, spectrum: Spectrum, low_tev: float, high_tev: float) -> None:
        points = max(2, round(np.log10(high_tev / low_tev) * _POINTS_PER_DECADE)) + 1
        self._log_energy = np.linspace(np.log(low_tev), np.log(high_tev), points)
        energy = np.exp(self._log_energy)
        density = energy * spectrum.flux(energy)
        steps = 0.5 * (density[1:] + density[:-1]) * np.diff(self._log_energy)
        self._cumulative = np.concatenate(([0.0], np.cumsum(steps)))

    @property
    def integral(self) -> float:
        """Flux between the limits in cm⁻² s⁻¹ (sr⁻¹)."""
        return float(self._cumulative[-1])

    def draw(self, share: FloatArray) -> FloatArray:
        """Give the energies below which a share of the flux lies.

        Parameters
        ----------
        share : array
            Uniform between 0 and 1.

        Returns
        -------
        array
            Energies in TeV.
        """
        log_energy = np.interp(share * self._cumulative[-1], self._cumulative, self._log_energy)
        return np.asarray(np.exp(log_energy))
