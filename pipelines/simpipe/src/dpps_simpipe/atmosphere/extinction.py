"""How much light survives the way down: Rayleigh scattering, aerosol, ozone."""

from dataclasses import dataclass

import numpy as np

from dpps_simpipe.atmosphere.profile import Atmosphere
from dpps_simpipe.compiled import FloatArray

__all__ = ["Aerosol", "optical_depth", "rayleigh_optical_depth", "transmission"]

#: Vertical mass of one standard atmosphere in g/cm² (1013.25 hPa / 9.80665 m/s²).
STANDARD_THICKNESS = 1033.23

#: Ozone number density in cm⁻³ by altitude in km: U.S. Standard Atmosphere 1976, part 1, table of the
#: mid-latitude ozone model.
OZONE_ALTITUDE = np.array([0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 35, 40, 45, 50.0])
OZONE_DENSITY = 1e10 * np.array(
    [70, 68, 58, 57, 65, 113, 202, 235, 295, 404, 477, 486, 454, 403, 324, 252, 140, 60.7, 22.2, 6.64]
)

#: Ozone absorption cross-section in cm² by wavelength in nm (Hartley-Huggins: Molina & Molina, J. Geophys.
#: Res. 91 (1986) 14501; Chappuis band: Burrows et al., J. Quant. Spectrosc. Radiat. Transf. 61 (1999) 509).
OZONE_WAVELENGTH = np.array(
    [
        240,
        250,
        260,
        270,
        280,
        290,
        300,
        310,
        320,
        330,
        340,
        350,
        380,
        450,
        500,
        550,
        600,
        650,
        700,
        800,
        1000.0,
    ]
)
OZONE_CROSS_SECTION = 1e-20 * np.array(
    [
        830,
        1120,
        1080,
        790,
        390,
        137,
        38.5,
        10,
        2.8,
        0.65,
        0.15,
        0.03,
        1e-3,
        0.015,
        0.12,
        0.33,
        0.51,
        0.26,
        0.09,
        0.02,
        1e-3,
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Aerosol:
    """An exponential aerosol layer with Ångström's law.

    Parameters
    ----------
    optical_depth : float
        Vertical optical depth above the observatory at 550 nm.
    angstrom_exponent : float
        Exponent of the wavelength dependence.
    scale_height : float
        Scale height in m above the observatory.

    Notes
    -----
    The defaults reproduce the transmission used in prod6 for La Palma (clear maritime air, MODTRAN; table in
    gammasim/simtools, camera-efficiency test resource) within 1 % between 300 and 600 nm.
    """

    optical_depth: float = 0.0265
    angstrom_exponent: float = 1.26
    scale_height: float = 1500.0


def rayleigh_optical_depth(wavelength: FloatArray) -> FloatArray:
    """Give the Rayleigh optical depth of one standard atmosphere.

    Parameters
    ----------
    wavelength : array
        Wavelength in nm.

    Returns
    -------
    array
        Optical depth of 1013.25 hPa.

    Notes
    -----
    Bodhaine et al., J. Atmos. Oceanic Technol. 16 (1999) 1854, eq. 30.
    """
    squared = (wavelength / 1e3) ** 2
    return np.asarray(
        0.0021520
        * (1.0455996 - 341.29061 / squared - 0.90230850 * squared)
        / (1.0 + 0.0027059889 / squared - 85.968563 * squared)
    )


def optical_depth(
    atmosphere: Atmosphere,
    wavelength: FloatArray,
    altitude: FloatArray,
    observation_altitude: float,
    aerosol: Aerosol,
) -> FloatArray:
    """Give the vertical optical depth between altitudes and the observatory.

    Parameters
    ----------
    atmosphere : Atmosphere
        Molecular profile.
    wavelength : array
        Wavelength in nm. Shape (n_wavelengths,).
    altitude : array
        Altitude of emission in m. Shape (n_altitudes,).
    observation_altitude : float
        Altitude of the observatory in m.
    aerosol : Aerosol
        Aerosol layer.

    Returns
    -------
    array
        Optical depth. Shape (n_altitudes, n_wavelengths).
    """
    height = np.maximum(altitude, observation_altitude)
    mass = atmosphere.thickness_at(np.array(observation_altitude)) - atmosphere.thickness_at(height)
    rayleigh = mass[:, np.newaxis] / STANDARD_THICKNESS * rayleigh_optical_depth(wavelength)
    fraction = 1.0 - np.exp(-(height - observation_altitude) / aerosol.scale_height)
    law = aerosol.optical_depth * (wavelength / 550.0) ** -aerosol.angstrom_exponent
    cross_section = np.exp(np.interp(wavelength, OZONE_WAVELENGTH, np.log(OZONE_CROSS_SECTION)))
    column = _ozone_column(height) - _ozone_column(np.array([observation_altitude]))
    return np.asarray(rayleigh + fraction[:, np.newaxis] * law + column[:, np.newaxis] * cross_section)


def _ozone_column(altitude: FloatArray) -> FloatArray:
    """Integrate the ozone density from sea level to an altitude in m; molecules per cm²."""
    grid = np.linspace(0.0, 50.0, 501)
    density = np.interp(grid, OZONE_ALTITUDE, OZONE_DENSITY)
    column = np.concatenate(([0.0], np.cumsum(0.5 * (density[1:] + density[:-1]) * 1e4)))
    return np.asarray(np.interp(altitude / 1e3, grid, column))


def transmission(
    atmosphere: Atmosphere,
    wavelength: FloatArray,
    altitude: FloatArray,
    observation_altitude: float,
    *,
    cos_zenith: float = 1.0,
    aerosol: Aerosol | None = None,
) -> FloatArray:
    """Give the transmission from altitudes to the observatory.

    Parameters
    ----------
    atmosphere : Atmosphere
        Molecular profile.
    wavelength : array
        Wavelength in nm. Shape (n_wavelengths,).
    altitude : array
        Altitude of emission in m. Shape (n_altitudes,).
    observation_altitude : float
        Altitude of the observatory in m.
    cos_zenith : float
        Cosine of the zenith angle of the light (plane-parallel air mass).
    aerosol : Aerosol or None
        Aerosol layer; None: the default one.

    Returns
    -------
    array
        Transmission. Shape (n_altitudes, n_wavelengths).
    """
    depth = optical_depth(atmosphere, wavelength, altitude, observation_altitude, aerosol or Aerosol())
    return np.asarray(np.exp(-depth / cos_zenith))
