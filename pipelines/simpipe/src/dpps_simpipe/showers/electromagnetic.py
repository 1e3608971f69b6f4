"""Cross-sections of electrons and photons in air, as tables for compiled code."""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from dpps_simpipe.compiled import FloatArray
from dpps_simpipe.showers.constants import AIR_ELEMENTS, ALPHA, AVOGADRO, ELECTRON_MASS, R_ELECTRON

__all__ = ["Electromagnetic", "bremsstrahlung_shape", "electromagnetic_tables", "pair_shape"]

#: Energy grid of the tables in MeV: 10 MeV to 10 PeV, uniform in the logarithm.
LOWEST, HIGHEST, POINTS = 10.0, 1e10, 600
#: Density in g/cm³ at which the density effect is taken: air at about 7 km, where most light is made.
TYPICAL_DENSITY = 0.6e-3


class Electromagnetic(NamedTuple):
    """Electromagnetic physics of air above a threshold.

    Attributes
    ----------
    log_lowest, log_step : float
        ln(energy/MeV) of the first point and spacing.
    threshold : float
        Photons below this energy (MeV) are not followed; electrons lose their energy continuously.
    bremsstrahlung : array
        Probability of a photon above the threshold per g/cm², by electron energy.
    energy_loss : array
        Continuous loss of electrons in MeV cm²/g: ionisation and photons below the threshold.
    pair, compton : array
        Probability per g/cm² by photon energy.
    """

    log_lowest: float
    log_step: float
    threshold: float
    bremsstrahlung: FloatArray
    energy_loss: FloatArray
    pair: FloatArray
    compton: FloatArray


def _coulomb_correction(atomic_number: int) -> float:
    """Give the Davies-Bethe-Maximon correction."""
    a2 = (ALPHA * atomic_number) ** 2
    return a2 * (1 / (1 + a2) + 0.20206 - 0.0369 * a2 + 0.0083 * a2**2 - 0.002 * a2**3)


def _screening(delta: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Give the screening functions of Butcher & Messel (Nucl. Phys. 20 (1960) 15)."""
    far = 21.12 - 4.184 * np.log(delta + 0.952)
    first = np.where(delta <= 1.0, 20.867 - 3.242 * delta + 0.625 * delta**2, far)
    second = np.where(delta <= 1.0, 20.029 - 1.930 * delta - 0.086 * delta**2, far)
    return first, second


def bremsstrahlung_shape(energy: FloatArray, photon: FloatArray, atomic_number: int) -> FloatArray:
    """Give k dσ/dk over α r² Z(Z+ξ), the screened Bethe-Heitler formula.

    Parameters
    ----------
    energy, photon : array
        Total energy of the electron and energy of the photon in MeV.
    atomic_number : int
        Atomic number of the target.

    Returns
    -------
    array
        The bracket of the formula; 0 outside the kinematic limit.

    Notes
    -----
    W.R. Nelson, H. Hirayama, D.W.O. Rogers, The EGS4 code system, SLAC-265 (1985), eq. 2.7.7; the Coulomb
    correction is applied above 50 MeV as there.
    """
    rest = np.maximum(energy - photon, 1e-6)
    ratio = rest / energy
    delta = 136.0 * atomic_number ** (-1 / 3) * ELECTRON_MASS * photon / (energy * rest)
    first, second = _screening(delta)
    shift = 4 / 3 * math.log(atomic_number) + np.where(
        energy > 50.0, 4 * _coulomb_correction(atomic_number), 0.0
    )
    shape = (1 + ratio**2) * (first - shift) - 2 / 3 * ratio * (second - shift)
    return np.where((photon < energy - ELECTRON_MASS) & (shape > 0), shape, 0.0)


def pair_shape(photon: FloatArray, fraction: FloatArray, atomic_number: int) -> FloatArray:
    """Give k dσ/dE over α r² Z(Z+ξ), the screened Bethe-Heitler formula of pair production.

    Parameters
    ----------
    photon : array
        Energy of the photon in MeV.
    fraction : array
        Fraction of it that the positron takes.
    atomic_number : int
        Atomic number of the target.

    Returns
    -------
    array
        The bracket of the formula; 0 outside the kinematic limit.

    Notes
    -----
    SLAC-265, eq. 2.7.8.
    """
    product = np.maximum(fraction * (1 - fraction), 1e-9)
    delta = 136.0 * atomic_number ** (-1 / 3) * ELECTRON_MASS / (photon * product)
    first, second = _screening(delta)
    shift = 4 / 3 * math.log(atomic_number) + np.where(
        photon > 50.0, 4 * _coulomb_correction(atomic_number), 0.0
    )
    shape = (1 - 2 * product) * (first - shift) + 2 / 3 * product * (second - shift)
    inside = (fraction * photon > ELECTRON_MASS) & ((1 - fraction) * photon > ELECTRON_MASS)
    return np.where(inside & (shape > 0), shape, 0.0)


def _strength(atomic_number: int, weight: float, mass_fraction: float) -> float:
    """Give α r² Z(Z+ξ) per gram of air, in cm²/g."""
    logarithm = math.log(184.15 * atomic_number ** (-1 / 3)) - _coulomb_correction(atomic_number)
    xi = math.log(1194 * atomic_number ** (-2 / 3)) / logarithm
    return ALPHA * R_ELECTRON**2 * atomic_number * (atomic_number + xi) * AVOGADRO * mass_fraction / weight


def _bremsstrahlung(energy: FloatArray, low: FloatArray, high: FloatArray, power: int) -> FloatArray:
    """Integrate k^power dσ/dk from low to high for each energy; per g/cm²."""
    steps = np.linspace(0.0, 1.0, 400)
    high = np.maximum(high, low)
    logarithm = np.log(low)[:, np.newaxis] + steps * np.log(high / low)[:, np.newaxis]
    photon = np.exp(logarithm)
    total = np.zeros(len(energy))
    for atomic_number, weight, mass_fraction in AIR_ELEMENTS:
        shape = bremsstrahlung_shape(energy[:, np.newaxis], photon, atomic_number) * photon**power
        total += _strength(atomic_number, weight, mass_fraction) * np.trapezoid(shape, logarithm, axis=1)
    return total


def _pair(photon: FloatArray) -> FloatArray:
    """Integrate pair production; per g/cm²."""
    steps = np.linspace(0.0, 1.0, 2001)
    total = np.zeros(len(photon))
    for atomic_number, weight, mass_fraction in AIR_ELEMENTS:
        shape = pair_shape(photon[:, np.newaxis], steps, atomic_number)
        total += _strength(atomic_number, weight, mass_fraction) * np.trapezoid(shape, steps, axis=1)
    return total


def _electrons_per_gram() -> float:
    return sum(AVOGADRO * z * fraction / weight for z, weight, fraction in AIR_ELEMENTS)


def _compton(photon: FloatArray) -> FloatArray:
    """Give the Klein-Nishina cross-section; per g/cm² (PDG 2022, eq. 34.33 integrated)."""
    k = photon / ELECTRON_MASS
    log = np.log1p(2 * k)
    total = (
        (1 + k) / k**2 * (2 * (1 + k) / (1 + 2 * k) - log / k)
        + log / (2 * k)
        - (1 + 3 * k) / (1 + 2 * k) ** 2
    )
    return np.asarray(2 * math.pi * R_ELECTRON**2 * total * _electrons_per_gram())


def _ionisation(energy: FloatArray) -> FloatArray:
    """Give the collision loss of electrons in MeV cm²/g.

    Berger & Seltzer, ICRU report 37 (1984); density effect of Sternheimer, Berger & Seltzer, At. Data Nucl.
    Data Tables 30 (1984) 261, moved to the typical density as there.
    """
    excitation = 85.7e-6
    tau = energy / ELECTRON_MASS - 1.0
    beta_squared = 1.0 - (ELECTRON_MASS / energy) ** 2
    bracket = 1 - beta_squared + (tau**2 / 8 - (2 * tau + 1) * math.log(2)) / (tau + 1) ** 2
    logarithm = np.log(tau**2 * (tau + 2) / (2 * (excitation / ELECTRON_MASS) ** 2))
    x = np.log10(np.sqrt(tau * (tau + 2))) + 0.5 * math.log10(TYPICAL_DENSITY / 1.2048e-3)
    delta = 4.6052 * x - 10.5961 + 0.10914 * np.clip(4.2759 - x, 0.0, None) ** 3.3994
    factor = 0.307075 / 2 * _electrons_per_gram() / AVOGADRO
    return np.asarray(factor / beta_squared * (logarithm + bracket - np.where(x > 1.7418, delta, 0.0)))


@lru_cache(maxsize=8)
def electromagnetic_tables(threshold: float) -> Electromagnetic:
    """Make the tables for a photon threshold.

    Parameters
    ----------
    threshold : float
        Energy in MeV below which photons are not followed.

    Returns
    -------
    Electromagnetic
        The tables.
    """
    energy = np.geomspace(LOWEST, HIGHEST, POINTS)
    cut = np.full(POINTS, threshold)
    limit = energy - ELECTRON_MASS
    soft = _bremsstrahlung(energy, np.full(POINTS, 1e-4), np.minimum(cut, limit), 1)
    hard = np.where(limit > threshold, _bremsstrahlung(energy, cut, limit, 0), 0.0)
    return Electromagnetic(
        log_lowest=math.log(LOWEST),
        log_step=math.log(HIGHEST / LOWEST) / (POINTS - 1),
        threshold=threshold,
        bremsstrahlung=hard,
        energy_loss=_ionisation(energy) + soft,
        pair=_pair(energy),
        compton=_compton(energy),
    )
