"""How many showers a relative error of the effective area takes.

A response with the relative error ``e`` in a bin of true energy needs ``n = ceil(1 / e^2)`` selected showers
there: what ``dpps-datapipe compute-irf`` asks for. Events that share one shower count once. With the
triggered fraction ``p`` of thrown events, the part ``s`` of triggered events that pass the cuts, and ``r``
cores for each shower, a thrown shower is selected with the probability ``q = 1 - (1 - p s)^r``; this takes
the cores for independent, which showers that fluctuate together are not quite. The number selected of ``N``
showers is binomial, which scatters less than the Poisson distribution of the same mean ``m``; that has at
least ``n`` with the probability ``P`` where ``m = chi2(P, 2 n) / 2``, half the quantile of the chi-squared
distribution with ``2 n`` degrees of freedom (F. Garwood, Biometrika 28 (1936) 437). So ``N = m / (q f)``,
where ``f`` is the part of the thrown spectrum within the bin.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.table import QTable
from numpy.typing import NDArray
from scipy.special import gammaincinv

from dpps.domain.steps import ConfigurationError, InsufficientStatistics
from dpps_simpipe.planning.plan import Statistics
from dpps_simpipe.planning.power_law import power_law_integral

__all__ = [
    "PilotFractions",
    "Requirement",
    "read_pilot",
    "required_showers",
    "selected_showers",
    "spectrum_fraction",
]

_COLUMNS = ("energy_min", "energy_max", "fraction")


@dataclass(frozen=True, slots=True, kw_only=True)
class PilotFractions:
    """Triggered fraction of thrown events, by bins of true energy without gaps.

    Attributes
    ----------
    edges_tev : ndarray, shape (n + 1,)
        Edges of the bins, in TeV, rising.
    fraction : ndarray, shape (n,)
        Triggered over thrown events, 0 to 1.
    source : str
        Where it comes from.
    """

    edges_tev: NDArray[np.float64]
    fraction: NDArray[np.float64]
    source: str

    def at(self, energy_tev: float) -> float:
        """Return the fraction at an energy; 0 outside of all bins, and in a bin where nothing triggered.

        Between the centres of bins that triggered it is interpolated (log-log).
        """
        place = int(np.searchsorted(self.edges_tev, energy_tev, side="right")) - 1
        if not 0 <= place < len(self.fraction) or self.fraction[place] <= 0:
            return 0.0
        centres = np.sqrt(self.edges_tev[:-1] * self.edges_tev[1:])
        known = self.fraction > 0
        logarithm = np.interp(np.log(energy_tev), np.log(centres[known]), np.log(self.fraction[known]))
        return float(np.exp(logarithm))


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """How many showers are to be thrown at one point, and which bin decides."""

    showers: int
    deciding_bin_tev: tuple[float, float] | None
    """None when the number was given."""
    triggered: float
    """Expected triggered events, in the whole energy range; NaN without a pilot."""


def read_pilot(path: Path) -> PilotFractions:
    """Read the triggered fractions of a pilot production.

    Raises
    ------
    ConfigurationError
        When columns or units are missing, bins have gaps, or fractions are not between 0 and 1.
    """
    try:
        table = QTable.read(path, format="ascii.ecsv")
        low, high = (table[name].to_value(u.TeV) for name in _COLUMNS[:2])
        fraction = np.asarray(u.Quantity(table["fraction"]).to_value(u.one), dtype=float)
    except (OSError, ValueError, KeyError, AttributeError, TypeError, u.UnitConversionError) as wrong:
        raise ConfigurationError(
            f"{path} is no table of triggered fractions: {wrong}",
            f"give ECSV with the columns {', '.join(_COLUMNS)}, the energies with a unit",
        ) from wrong
    edges = np.append(low, high[-1:])
    if not len(table) or not np.all(np.diff(edges) > 0) or not np.allclose(low[1:], high[:-1], rtol=1e-6):
        raise ConfigurationError(f"{path}: the energy bins must rise without gaps", "correct the table")
    if not np.all((fraction >= 0) & (fraction <= 1)):
        raise ConfigurationError(f"{path}: fractions must be between 0 and 1", "correct the table")
    return PilotFractions(edges_tev=edges, fraction=fraction, source=str(path))


def spectrum_fraction(energy_tev: tuple[float, float], whole_tev: tuple[float, float], index: float) -> float:
    """Return which part of a power law dN/dE ~ E^index lies within a range of energy."""
    return power_law_integral(energy_tev, index) / power_law_integral(whole_tev, index)


def required_showers(
    statistics: Statistics,
    energy_tev: tuple[float, float],
    index: float,
    cores_per_shower: int,
    pilot: PilotFractions | None,
) -> Requirement:
    """Return how many showers one point needs.

    Parameters
    ----------
    statistics : Statistics
        What is asked for.
    energy_tev : tuple of float
        Range of thrown energies, in TeV.
    index : float
        Of the thrown spectrum.
    cores_per_shower : int
        How often each shower is used.
    pilot : PilotFractions or None
        Triggered fractions; needed for a relative error.

    Raises
    ------
    InsufficientStatistics
        When a bin of the range triggers nothing in the pilot, or the most that may be thrown is not enough;
        names the bin.
    """
    if statistics.relative_error is None or pilot is None:
        if statistics.total_showers is None:
            raise ConfigurationError("neither a number of showers nor a pilot is given", "correct the plan")
        return Requirement(
            showers=statistics.total_showers,
            deciding_bin_tev=None,
            triggered=_expected(statistics.total_showers, energy_tev, index, cores_per_shower, pilot),
        )
    wanted = statistics.energy_tev or energy_tev
    low, high = max(wanted[0], energy_tev[0]), min(wanted[1], energy_tev[1])
    if low >= high:
        raise ConfigurationError(
            f"the error is asked for between {wanted[0]:.3g} and {wanted[1]:.3g} TeV, and only "
            f"{energy_tev[0]:.3g} to {energy_tev[1]:.3g} TeV are thrown",
            "let the ranges meet, or look whether limits took the range away",
        )
    most, deciding = 0.0, None
    for one in _bins(low, high, statistics.bins_per_decade):
        showers = _showers_of_bin(one, statistics, energy_tev, index, cores_per_shower, pilot)
        if showers > most:
            most, deciding = showers, one
    needed = math.ceil(most)
    if statistics.total_showers is not None and needed > statistics.total_showers and deciding is not None:
        raise InsufficientStatistics(
            f"{needed:.3g} showers are needed for a relative error of {statistics.relative_error:g} between "
            f"{deciding[0]:.3g} and {deciding[1]:.3g} TeV, and at most {statistics.total_showers:.3g} may be "
            "thrown",
            "allow more, ask for less, throw a flatter spectrum, or narrow statistics.energy_tev",
        )
    return Requirement(
        showers=needed,
        deciding_bin_tev=deciding,
        triggered=_expected(needed, energy_tev, index, cores_per_shower, pilot),
    )


def _bins(low: float, high: float, per_decade: int) -> list[tuple[float, float]]:
    number = max(1, round(math.log10(high / low) * per_decade))
    edges = np.geomspace(low, high, number + 1)
    return [(float(start), float(end)) for start, end in pairwise(edges)]


def selected_showers(relative_error: float, probability: float) -> float:
    """Return how many selected showers must be expected for enough of them to come.

    Parameters
    ----------
    relative_error : float
        Of the effective area: ``1 / sqrt(n)`` of the selected showers.
    probability : float
        With which that many are selected.

    Returns
    -------
    float
        Mean of the Poisson distribution.
    """
    needed = math.ceil(1.0 / relative_error**2 - 1e-9)  # 0.2 asks for 25, not for 26
    return float(gammaincinv(needed, probability))


def _showers_of_bin(
    bin_tev: tuple[float, float],
    statistics: Statistics,
    energy_tev: tuple[float, float],
    index: float,
    cores_per_shower: int,
    pilot: PilotFractions,
) -> float:
    expected = selected_showers(statistics.relative_error or math.nan, statistics.probability)
    fraction = pilot.at(math.sqrt(bin_tev[0] * bin_tev[1]))
    if fraction <= 0:
        raise InsufficientStatistics(
            f"{pilot.source} tells of nothing that triggers between {bin_tev[0]:.3g} and {bin_tev[1]:.3g} "
            "TeV, so that no number of showers can be given",
            "narrow statistics.energy_tev, or give a pilot with more showers",
        )
    # At least one of the uses of a shower is selected.
    selected = 1.0 - (1.0 - fraction * statistics.selection_fraction) ** cores_per_shower
    return expected / (selected * spectrum_fraction(bin_tev, energy_tev, index))


def _expected(
    showers: int,
    energy_tev: tuple[float, float],
    index: float,
    cores_per_shower: int,
    pilot: PilotFractions | None,
) -> float:
    if pilot is None:
        return math.nan
    return sum(
        showers
        * cores_per_shower
        * pilot.at(math.sqrt(low * high))
        * spectrum_fraction((low, high), energy_tev, index)
        for low, high in _bins(*energy_tev, 20)
    )
