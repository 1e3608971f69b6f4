"""What a telescope type sees of the light of a metre of track."""

import math

import numpy as np

from dpps_simpipe.atmosphere import Aerosol, Atmosphere, transmission
from dpps_simpipe.atmosphere.profile import dispersion
from dpps_simpipe.compiled import FloatArray
from dpps_simpipe.instrument import Array
from dpps_simpipe.showers import Targets
from dpps_simpipe.showers.constants import ALPHA

__all__ = ["YIELD_STEP", "light_yield", "make_targets"]

#: Spacing in m of the altitude grid of light yields, and its top.
YIELD_STEP, YIELD_TOP = 250.0, 60e3
#: Wavelength grid in nm.
WAVELENGTH = np.arange(240.0, 1001.0, 5.0)


def light_yield(
    array: Array,
    atmosphere: Atmosphere,
    cos_zenith: float,
    *,
    with_dispersion: bool = True,
    aerosol: Aerosol | None = None,
) -> FloatArray:
    """Give photoelectrons per metre of track over sin²θ, by telescope type and altitude of emission.

    Parameters
    ----------
    array : Array
        Telescope types and their efficiencies.
    atmosphere : Atmosphere
        Profile.
    cos_zenith : float
        Cosine of the zenith angle of the light.
    with_dispersion : bool
        Whether refraction depends on the wavelength.
    aerosol : Aerosol or None
        Aerosol layer; None: the default one.

    Returns
    -------
    array
        Shape (n_types, n_altitudes), altitudes from sea level in steps of `YIELD_STEP`.

    Notes
    -----
    Frank & Tamm (1937): d²N/dx dλ = 2πα sin²θ / λ²; far above the threshold sin²θ goes with n - 1, so
    dispersion is a factor within the integral.
    """
    altitude = np.arange(0.0, YIELD_TOP, YIELD_STEP)
    survival = transmission(
        atmosphere, WAVELENGTH, altitude, array.observation_level_m, cos_zenith=cos_zenith, aerosol=aerosol
    )
    weight = 2 * math.pi * ALPHA / (WAVELENGTH * 1e-9) ** 2
    if with_dispersion:
        weight = weight * dispersion(WAVELENGTH)
    yields = []
    for kind in array.kinds:
        efficiency = array.efficiencies[kind.camera].at(WAVELENGTH)
        constant = kind.structure_transmission * kind.light_guide_efficiency * kind.light_yield_scale
        yields.append(constant * np.trapezoid(survival * efficiency * weight, WAVELENGTH * 1e-9, axis=1))
    return np.array(yields)


def make_targets(array: Array, yields: FloatArray, cores: FloatArray) -> Targets:
    """Put the telescopes around shower cores at the origin.

    Parameters
    ----------
    array : Array
        Telescopes.
    yields : array
        See `light_yield`.
    cores : array
        Core positions x, y in m. Shape (n_cores, 2).

    Returns
    -------
    Targets
        Spheres: for each core all telescopes in order.
    """
    shift = np.column_stack([cores, np.zeros(len(cores))])
    position = (array.positions[np.newaxis] - shift[:, np.newaxis]).reshape(-1, 3)
    order = {kind.name: index for index, kind in enumerate(array.kinds)}
    kinds = np.array([order[telescope.kind.name] for telescope in array.telescopes])
    radius = np.array([telescope.kind.dish_edge_m for telescope in array.telescopes])
    return Targets(
        position=np.ascontiguousarray(position),
        radius=np.tile(radius, len(cores)),
        kind=np.tile(kinds, len(cores)),
        light_yield=yields,
        yield_step=YIELD_STEP,
        observation_level=array.observation_level_m,
    )
