"""What a telescope type sees of the light of a metre of track."""

import math

import numpy as np

from dpps_simpipe.atmosphere import Aerosol, Atmosphere
from dpps_simpipe.atmosphere.extinction import optical_depth
from dpps_simpipe.atmosphere.profile import dispersion
from dpps_simpipe.compiled import FloatArray
from dpps_simpipe.instrument import Array
from dpps_simpipe.showers import Targets
from dpps_simpipe.showers.constants import ALPHA
from dpps_simpipe.showers.emission import sphere_around

__all__ = ["YIELD_STEP", "LightYields", "make_targets"]

#: Spacing in m of the altitude grid of light yields, and its top.
YIELD_STEP, YIELD_TOP = 250.0, 60e3
#: Wavelength grid in nm: no camera sees light beyond.
WAVELENGTH = np.arange(240.0, 731.0, 5.0)


class LightYields:
    """Photoelectrons per metre of track over sin²θ, by telescope type and altitude of emission.

    Parameters
    ----------
    array : Array
        Telescope types and their efficiencies.
    atmosphere : Atmosphere
        Profile.
    with_dispersion : bool
        Whether refraction depends on the wavelength.
    aerosol : Aerosol or None
        Aerosol layer; None: the default one.

    Notes
    -----
    Frank & Tamm (1937): d²N/dx dλ = 2πα sin²θ / λ²; far above the threshold sin²θ goes with n - 1, so
    dispersion is a factor within the integral.
    """

    def __init__(
        self,
        array: Array,
        atmosphere: Atmosphere,
        *,
        with_dispersion: bool = True,
        aerosol: Aerosol | None = None,
    ) -> None:
        altitude = np.arange(0.0, YIELD_TOP, YIELD_STEP)
        self._depth = optical_depth(
            atmosphere, WAVELENGTH, altitude, array.observation_level_m, aerosol or Aerosol()
        )
        spectrum = 2 * math.pi * ALPHA / (WAVELENGTH * 1e-9) ** 2
        if with_dispersion:
            spectrum = spectrum * dispersion(WAVELENGTH)
        step = np.gradient(WAVELENGTH * 1e-9)
        self._weights = np.array(
            [
                spectrum
                * step
                * array.efficiencies[kind.camera].at(WAVELENGTH)
                * (kind.structure_transmission * kind.light_guide_efficiency * kind.light_yield_scale)
                for kind in array.kinds
            ]
        )
        self._last: tuple[float, FloatArray] = (math.nan, np.zeros((0, 0)))

    def at(self, cos_zenith: float) -> FloatArray:
        """Give the yields for light of a zenith angle.

        Parameters
        ----------
        cos_zenith : float
            Cosine of the zenith angle (plane-parallel air mass).

        Returns
        -------
        array
            Shape (n_types, n_altitudes), altitudes from sea level in steps of `YIELD_STEP`.
        """
        if self._last[0] != cos_zenith:
            self._last = (cos_zenith, self._weights @ np.exp(-self._depth.T / cos_zenith))
        return self._last[1]


def make_targets(array: Array, yields: FloatArray, cores: FloatArray) -> Targets:
    """Put the telescopes around shower cores at the origin.

    Parameters
    ----------
    array : Array
        Telescopes.
    yields : array
        See `LightYields`.
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
        cover=sphere_around(position, np.tile(radius, len(cores))),
    )
