"""The response that synthetic events are drawn from: formulas, not an instrument.

Every file made from them says ``synthetic``. The numbers are of the order of a
small array of Cherenkov telescopes, so that the tools meet realistic sizes; the
true response is known exactly, which no simulation offers.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["LABEL", "Floats", "KnownResponse"]

#: Written wherever a synthetic product can be read.
LABEL = "synthetic"

type Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownResponse:
    """Effective area, resolution and classification as functions of true values."""

    #: Effective area at 1 TeV on axis, square metres.
    area_at_1_tev_m2: float = 2.5e5
    area_index: float = 0.35
    threshold_tev: float = 0.05
    #: Upper limit of the effective area, square metres.
    area_limit_m2: float = 8e5
    #: Width of the acceptance over the field of view, degrees.
    acceptance_deg: float = 2.5
    #: Standard deviation of the logarithm of reconstructed over true energy.
    energy_resolution: float = 0.12
    #: Standard deviation of each coordinate at 1 TeV, degrees.
    angular_resolution_deg: float = 0.04

    def area_m2(self, energy_tev: Floats, offset_deg: Floats) -> Floats:
        """Give the effective area in square metres.

        Parameters
        ----------
        energy_tev, offset_deg : numpy.ndarray
            True energy and offset from the pointing, of one shape.

        Returns
        -------
        numpy.ndarray
            Of the same shape.
        """
        rise = np.exp(-((self.threshold_tev / energy_tev) ** 1.5))
        area = np.minimum(self.area_at_1_tev_m2 * energy_tev**self.area_index, self.area_limit_m2)
        return np.asarray(area * rise * np.exp(-0.5 * (offset_deg / self.acceptance_deg) ** 2))

    def reconstructed_energy_tev(self, energy_tev: Floats, random: np.random.Generator) -> Floats:
        """Draw reconstructed energies in TeV."""
        return np.asarray(energy_tev * np.exp(random.normal(0.0, self.energy_resolution, energy_tev.shape)))

    def displacement_deg(self, energy_tev: Floats, random: np.random.Generator) -> Floats:
        """Draw errors of the direction: shape ``(2, n)``, degrees."""
        width = 0.01 + self.angular_resolution_deg * np.clip(energy_tev, 0.02, None) ** -0.25
        return np.asarray(random.normal(0.0, 1.0, (2, *energy_tev.shape)) * width)

    def gammaness(self, like_gamma: bool, number: int, random: np.random.Generator) -> Floats:
        """Draw classification scores."""
        return np.asarray(random.beta(6.0, 2.0, number) if like_gamma else random.beta(1.5, 6.0, number))
