"""The spectrum: a model fitted to the counts by forward folding, and flux points."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy import units as u
from numpy.typing import NDArray

from dpps.domain.steps import InsufficientStatistics, StepError
from dpps_science.extraction import Counts
from dpps_science.selection import Selection

__all__ = ["FLUX_UNIT", "MODELS", "Fitted", "fit", "flux_points"]

type Floats = NDArray[np.float64]

FLUX_UNIT = "cm-2 s-1 TeV-1"
#: Models by name: Gammapy's class, and its parameters that are fitted.
MODELS = {
    "power-law": ("PowerLawSpectralModel", ("amplitude", "index")),
    "log-parabola": ("LogParabolaSpectralModel", ("amplitude", "alpha", "beta")),
}
_START = {"amplitude": f"1e-11 {FLUX_UNIT}", "index": 2.5, "alpha": 2.5, "beta": 0.1}
#: A spectrum is fitted to a source that is seen.
LEAST_SIGNIFICANCE = 5.0
_POINTS_PER_DECADE = 5
_ENERGY_COLUMNS = ("e_ref", "e_min", "e_max")
_FLUX_COLUMNS = ("dnde", "dnde_err", "dnde_ul")
_POINT_COLUMNS = (*_ENERGY_COLUMNS, *_FLUX_COLUMNS, "sqrt_ts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A fitted model.

    Attributes
    ----------
    name : str
        Of the model, one of `MODELS`.
    reference_tev : float
        Reference energy, TeV.
    names : tuple of str
        Fitted parameters; ``amplitude`` is a differential flux at the reference energy, 1/(cm2 s TeV),
        ``beta`` goes with the natural logarithm.
    values, errors : numpy.ndarray
        In this order, errors of one standard deviation.
    covariance : numpy.ndarray
        Shape ``(n, n)``.
    statistic : float
        Value of the fit statistic (W statistic), and the number of bins that it sums.
    n_bins : int
        Number of those bins.
    model : gammapy.modeling.models.SkyModel
        As Gammapy has it.
    """

    name: str
    reference_tev: float
    names: tuple[str, ...]
    values: Floats
    errors: Floats
    covariance: Floats
    statistic: float
    n_bins: int
    model: Any

    def flux(self, energy_tev: Floats) -> Floats:
        """Give the differential flux in 1/(cm2 s TeV)."""
        return np.asarray(self.model.spectral_model(energy_tev * u.TeV).to_value(FLUX_UNIT))

    def flux_error(self, energy_tev: Floats) -> Floats:
        """Give the error of the differential flux in 1/(cm2 s TeV), from the covariance."""
        return np.asarray(self.model.spectral_model.evaluate_error(energy_tev * u.TeV)[1].to_value(FLUX_UNIT))


def _model(name: str, reference_tev: float) -> Any:
    from gammapy.modeling import models

    kind, parameters = MODELS[name]
    start = {parameter: _START[parameter] for parameter in parameters}
    spectral = getattr(models, kind)(reference=reference_tev * u.TeV, **start)
    return models.SkyModel(spectral_model=spectral, name="source")


def fit(counts: Counts, selection: Selection, name: str, reference_tev: float) -> Fitted:
    """Fit a model to the counts of all observations.

    Parameters
    ----------
    counts : Counts
        What was counted.
    selection : Selection
        Named in errors.
    name : str
        One of `MODELS`.
    reference_tev : float
        Reference energy, TeV.

    Returns
    -------
    Fitted

    Raises
    ------
    InsufficientStatistics
        The source is not seen, or the counts do not bear the model.
    """
    from gammapy.modeling import Fit

    if counts.significance < LEAST_SIGNIFICANCE or counts.excess <= 0.0:
        raise InsufficientStatistics(
            f"{selection.target.name} is not seen: {counts.on} events where "
            f"{counts.alpha * counts.off:.1f} are background, "
            f"{counts.significance:.1f} standard deviations of {LEAST_SIGNIFICANCE:g} needed",
            "observe longer, or look at target and event selection",
        )
    model = _model(name, reference_tev)
    datasets = counts.datasets
    datasets.models = [model]
    result = Fit().run(datasets)
    parameters = [model.spectral_model.parameters[one] for one in MODELS[name][1]]
    values, errors = (np.array([getattr(one, key) for one in parameters]) for key in ("value", "error"))
    if not result.success or not np.isfinite(errors).all() or not (errors > 0.0).all() or values[0] <= 0.0:
        raise InsufficientStatistics(
            f"the fit of a {name} did not end well: {result.optimize_result.message}".strip(),
            "take a model with fewer parameters, or more events",
        )
    covariance = model.spectral_model.covariance.get_subcovariance(
        type(model.spectral_model.parameters)(parameters)
    )
    return Fitted(
        name=name,
        reference_tev=reference_tev,
        names=MODELS[name][1],
        values=values,
        errors=errors,
        covariance=np.asarray(covariance.data),
        statistic=float(result.total_stat),
        n_bins=int(
            sum(one.mask.data.sum() if one.mask is not None else one.counts.data.size for one in datasets)
        ),
        model=model,
    )


def flux_points(counts: Counts, selection: Selection) -> Any:
    """Give the flux in bins of energy, with the shape of the fitted model in each.

    Parameters
    ----------
    counts : Counts
        With the fitted model.
    selection : Selection
        Energies.

    Returns
    -------
    astropy.table.QTable
        Energies in TeV, ``dnde`` with error and upper limits (95 %) in 1/(cm2 s TeV), ``sqrt_ts``.

    Raises
    ------
    StepError
        Gammapy gives no point.
    """
    from astropy.table import QTable
    from gammapy.estimators import FluxPointsEstimator

    decades = np.log10(selection.energy_max_tev / selection.energy_min_tev)
    edges = np.geomspace(
        selection.energy_min_tev, selection.energy_max_tev, max(1, round(decades * _POINTS_PER_DECADE)) + 1
    )
    estimator = FluxPointsEstimator(energy_edges=edges * u.TeV, source="source", selection_optional=["ul"])
    table = estimator.run(counts.datasets).to_table(sed_type="dnde", format="gadf-sed")
    missing = [column for column in _POINT_COLUMNS if column not in table.colnames]
    if missing or len(table) == 0:
        raise StepError(f"Gammapy gives no flux points: {', '.join(missing) or 'none'}")
    points = QTable({column: table[column] for column in _POINT_COLUMNS})
    for columns, unit in ((_ENERGY_COLUMNS, u.TeV), (_FLUX_COLUMNS, u.Unit(FLUX_UNIT))):
        for column in columns:
            points[column] = points[column].to(unit)
    return points
