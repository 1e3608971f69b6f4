"""A molecular profile and its look-up tables for compiled code."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from dpps.domain.errors import InvalidInput
from dpps_simpipe.compiled import FloatArray

__all__ = ["Air", "Atmosphere", "dispersion"]

#: Spacing of the look-up tables in metres: linear interpolation is then good to 1e-5.
TABLE_STEP = 25.0
#: Number of points of the inverse table (thickness to altitude), uniform in ln(thickness).
INVERSE_POINTS = 6000
#: Lowest and highest refractivity per density in cm³/g that air can have (0.21 … 0.26 measured).
REFRACTIVITY_PER_DENSITY = (0.15, 0.35)


class Air(NamedTuple):
    """Look-up tables of an atmosphere on a uniform altitude grid that starts at sea level.

    Attributes
    ----------
    step : float
        Spacing of the grid in m.
    top : float
        Last altitude in m.
    density : array
        Density in g/cm³. Shape (n,).
    thickness : array
        Vertical mass above, in g/cm². Shape (n,).
    refractivity : array
        n - 1 at 400 nm. Shape (n,).
    refraction_column : array
        Integral of n - 1 from sea level upwards, in m. Shape (n,).
    log_thickness : tuple of float
        First ln(thickness) and spacing of the inverse table.
    altitude : array
        Altitude in m at given ln(thickness). Shape (m,).
    """

    step: float
    top: float
    density: FloatArray
    thickness: FloatArray
    refractivity: FloatArray
    refraction_column: FloatArray
    log_thickness: tuple[float, float]
    altitude: FloatArray


def dispersion(wavelength: FloatArray) -> FloatArray:
    """Give (n-1) of air at a wavelength relative to 400 nm.

    Parameters
    ----------
    wavelength : array
        Vacuum wavelength in nm.

    Returns
    -------
    array
        Ratio of refractivities.

    Notes
    -----
    Peck & Reeder, J. Opt. Soc. Am. 62 (1972) 958, eq. 3: two-term Sellmeier formula for standard air.
    """

    def refractivity(value: FloatArray) -> FloatArray:
        wave_number_squared = (1e3 / value) ** 2
        return (
            8060.51 + 2480990.0 / (132.274 - wave_number_squared) + 17455.7 / (39.32957 - wave_number_squared)
        )

    return np.asarray(refractivity(wavelength) / refractivity(np.array(400.0)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Atmosphere:
    """Molecular profile above sea level.

    Parameters
    ----------
    name : str
        Where it is from: a file name or the name of a built-in profile.
    altitude : array
        Altitudes in m, increasing. Shape (n,).
    density : array
        Density in g/cm³. Shape (n,).
    thickness : array
        Vertical mass above each altitude in g/cm². Shape (n,).
    refractivity : array
        n - 1 at 400 nm. Shape (n,).
    """

    name: str
    altitude: FloatArray
    density: FloatArray
    thickness: FloatArray
    refractivity: FloatArray

    def __post_init__(self) -> None:
        """Refuse what cannot be air.

        Raises
        ------
        InvalidInput
            A column has the wrong order, sign or size; most often wrong units.
        """
        for column in ("altitude", "density", "thickness", "refractivity"):
            values = getattr(self, column)
            if values.ndim != 1 or len(values) < 5 or not np.all(np.isfinite(values)):
                raise self._refused(column, "needs at least five finite values")
        if np.any(np.diff(self.altitude) <= 0) or self.altitude[0] > 2000.0:
            raise self._refused("altitude", "must increase and start below 2 km")
        if not 2e4 <= self.altitude[-1] <= 2e5:
            raise self._refused("altitude", "must end between 20 and 200 km: is it in km?")
        self._check_order_and_size()
        self._check_consistency()

    def _check_order_and_size(self) -> None:
        """Refuse columns that do not fall with altitude or are not of air."""
        for column, low, high, unit in (
            ("density", 0.8e-3, 1.6e-3, "g/cm3"),
            ("thickness", 700.0, 1200.0, "g/cm2"),
            ("refractivity", 1.8e-4, 3.5e-4, "1"),
        ):
            values = getattr(self, column)
            if np.any(np.diff(values) >= 0) or values[-1] <= 0:
                raise self._refused(column, "must be positive and fall with altitude")
            if not low <= values[0] <= high:
                raise self._refused(
                    column, f"is {values[0]:.4g} at {self.altitude[0]:.0f} m: is it in {unit}?"
                )

    def _check_consistency(self) -> None:
        """Refuse a thickness that is not the integral of the density, a refraction that is not air's."""
        below = self.altitude <= 20e3
        height = self.altitude[below]
        logarithm = np.log(self.density[below])
        fine = np.linspace(height[0], height[-1], 2000)
        integral = np.trapezoid(np.exp(np.interp(fine, height, logarithm)), fine * 100.0)
        given = self.thickness[below][0] - self.thickness[below][-1]
        if abs(integral / given - 1.0) > 0.05:
            raise self._refused(
                "thickness", f"changes by {given:.4g} g/cm2 where the density integrates to {integral:.4g}"
            )
        ratio = self.refractivity[below] / self.density[below]
        if ratio.min() < REFRACTIVITY_PER_DENSITY[0] or ratio.max() > REFRACTIVITY_PER_DENSITY[1]:
            raise self._refused("refractivity", "does not follow the density: is it n-1?")

    def _refused(self, column: str, reason: str) -> InvalidInput:
        return InvalidInput(
            f"atmosphere {self.name}: column {column} {reason}",
            code="simpipe.atmosphere-invalid",
            next_step="Give altitude, density in g/cm3, thickness in g/cm2 and refractive index minus 1.",
            atmosphere=self.name,
            column=column,
        )

    def thickness_at(self, altitude: FloatArray) -> FloatArray:
        """Give the vertical mass above an altitude.

        Parameters
        ----------
        altitude : array
            Altitude in m above sea level.

        Returns
        -------
        array
            Thickness in g/cm², interpolated in its logarithm.
        """
        return np.asarray(np.exp(np.interp(altitude, self.altitude, np.log(self.thickness))))

    def altitude_at(self, thickness: FloatArray) -> FloatArray:
        """Give the altitude with a given vertical mass above.

        Parameters
        ----------
        thickness : array
            Thickness in g/cm².

        Returns
        -------
        array
            Altitude in m.
        """
        return np.asarray(np.interp(np.log(thickness), np.log(self.thickness[::-1]), self.altitude[::-1]))

    def tables(self) -> Air:
        """Make the look-up tables of compiled code.

        Returns
        -------
        Air
            Tables from sea level to the top.
        """
        top = float(self.altitude[-1])
        grid = np.arange(0.0, top + TABLE_STEP, TABLE_STEP)
        refractivity = self._extrapolated(grid, self.refractivity)
        thickness = self._extrapolated(grid, self.thickness)
        column = np.concatenate(([0.0], np.cumsum(0.5 * (refractivity[1:] + refractivity[:-1]) * TABLE_STEP)))
        logarithm = np.log(thickness[::-1])
        inverse = np.linspace(logarithm[0], logarithm[-1], INVERSE_POINTS)
        return Air(
            step=TABLE_STEP,
            top=top,
            density=self._extrapolated(grid, self.density),
            thickness=thickness,
            refractivity=refractivity,
            refraction_column=column,
            log_thickness=(float(inverse[0]), float(inverse[1] - inverse[0])),
            altitude=np.interp(inverse, logarithm, grid[::-1]),
        )

    def _extrapolated(self, grid: FloatArray, values: FloatArray) -> FloatArray:
        """Interpolate the logarithm; below the first altitude go on with the first slope."""
        logarithm = np.log(values)
        slope = (logarithm[1] - logarithm[0]) / (self.altitude[1] - self.altitude[0])
        inside = np.interp(grid, self.altitude, logarithm)
        below = grid < self.altitude[0]
        inside[below] = logarithm[0] + slope * (grid[below] - self.altitude[0])
        return np.asarray(np.exp(inside))
