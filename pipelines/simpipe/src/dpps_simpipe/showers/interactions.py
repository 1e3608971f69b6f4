"""Bremsstrahlung, pair production, Compton and Coulomb scattering drawn at random."""

import math

from numpy.random import Generator

from dpps_simpipe.compiled import compiled, embedded
from dpps_simpipe.showers.constants import ELECTRON_MASS
from dpps_simpipe.showers.geometry import azimuth, nudged, turned

__all__ = ["bremsstrahlung_photon", "compton_fraction", "pair_fraction", "scattered"]

#: Mean atomic number of air, and its Coulomb correction 4 f_c, for shapes (totals are summed by element).
MEAN_Z = 7.37
COULOMB = 4 * 0.0035
#: Coulomb scattering in air: χ_c² p²β² per g/cm² (0.157 Σ w Z(Z+1)/A) and χ_α² p² in MeV² (G. Molière, Z.
#: Naturforsch. 2a (1947) 133; H.A. Bethe, Phys. Rev. 89 (1953) 1256).
SCATTERING_STRENGTH = 0.655
SCREENING = 7.59e-5
#: Single scatterings above sqrt(20) χ_c are drawn one by one (probability 1/20 a step), smaller ones
#: together as a Gaussian (mixed simulation: J.M. Fernández-Varea et al., Nucl. Instr. Meth. B 73 (1993) 447).
HARD_FACTOR = 20.0
#: Nuclear size: largest angle times momentum in MeV (B. Rossi, High-energy particles (1952), 2.16).
NUCLEAR_LIMIT = 116.0


@compiled
def _screened(delta: float) -> tuple[float, float]:
    """Give the screening functions less the logarithm of the charge (Butcher & Messel 1960)."""
    shift = 4.0 / 3.0 * math.log(MEAN_Z)
    if delta > 1.0:
        both = 21.12 - 4.184 * math.log(delta + 0.952) - shift
        return max(both, 0.0), max(both, 0.0)
    first = 20.867 - 3.242 * delta + 0.625 * delta * delta
    second = 20.029 - 1.930 * delta - 0.086 * delta * delta
    return first - shift, second - shift


@compiled
def bremsstrahlung_photon(energy: float, threshold: float, random: Generator) -> float:
    """Draw the energy in MeV of a photon above the threshold, by rejection from 1/k (SLAC-265, 2.7.7)."""
    highest = energy - ELECTRON_MASS
    if highest <= threshold:
        return 0.0
    correction = COULOMB if energy > 50.0 else 0.0
    first, second = _screened(0.0)
    bound = 2.0 * (first - correction) - 2.0 / 3.0 * (second - correction)
    logarithm = math.log(highest / threshold)
    while True:
        photon = threshold * math.exp(logarithm * random.random())
        ratio = (energy - photon) / energy
        delta = 136.0 * MEAN_Z ** (-1.0 / 3.0) * ELECTRON_MASS * photon / (energy * energy * ratio)
        first, second = _screened(delta)
        shape = (1.0 + ratio * ratio) * (first - correction) - 2.0 / 3.0 * ratio * (second - correction)
        if random.random() * bound < shape:
            return photon


@compiled
def pair_fraction(photon: float, random: Generator) -> float:
    """Draw the fraction of a photon's energy that one electron of a pair takes (SLAC-265, 2.7.8)."""
    correction = COULOMB if photon > 50.0 else 0.0
    least = ELECTRON_MASS / photon
    bound = _screened(0.0)[0]
    while True:
        fraction = least + (1.0 - 2.0 * least) * random.random()
        product = fraction * (1.0 - fraction)
        delta = 136.0 * MEAN_Z ** (-1.0 / 3.0) * ELECTRON_MASS / (photon * product)
        first, second = _screened(delta)
        shape = (1.0 - 2.0 * product) * (first - correction) + 2.0 / 3.0 * product * (second - correction)
        if random.random() * bound < shape:
            return fraction


@compiled
def compton_fraction(photon: float, random: Generator) -> float:
    """Draw the fraction of energy that the photon keeps (Klein-Nishina; SLAC-265, 2.9)."""
    k = photon / ELECTRON_MASS
    least = 1.0 / (1.0 + 2.0 * k)
    inverse, linear = math.log(1.0 + 2.0 * k), 0.5 * (1.0 - least * least)
    while True:
        if random.random() * (inverse + linear) < inverse:
            fraction = math.exp(-inverse * random.random())
        else:
            fraction = math.sqrt(least * least + (1.0 - least * least) * random.random())
        cosine_part = (1.0 - fraction) / (k * fraction)
        sine_squared = cosine_part * (2.0 - cosine_part)
        if random.random() < 1.0 - fraction * sine_squared / (1.0 + fraction * fraction):
            return fraction


@embedded
def scattered(
    direction: tuple[float, float, float], momentum_beta: float, depth: float, random: Generator
) -> tuple[float, float, float]:
    """Scatter a direction in a depth (g/cm²) of air at p·β in MeV (Coulomb, mixed simulation)."""
    characteristic = SCATTERING_STRENGTH * depth / (momentum_beta * momentum_beta)
    border = HARD_FACTOR * characteristic
    logarithm = math.log(max(HARD_FACTOR * SCATTERING_STRENGTH * depth / SCREENING, 10.0)) - 1.0
    width = math.sqrt(0.5 * characteristic * logarithm)
    ux, uy, uz = nudged(direction, width * random.standard_normal(), width * random.standard_normal())
    if random.random() * HARD_FACTOR < 1.0:
        limit = min(NUCLEAR_LIMIT / momentum_beta, 1.5)
        if limit * limit > border:
            inverse = 1.0 - random.random() * (1.0 - border / (limit * limit))
            ux, uy, uz = turned(ux, uy, uz, math.sqrt(border / inverse), azimuth(random))
    return ux, uy, uz
