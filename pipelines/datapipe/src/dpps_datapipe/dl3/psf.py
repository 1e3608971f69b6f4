"""A point spread function as the sum of three Gaussians."""

import numpy as np

from dpps_datapipe.irf.reading import Axis, Floats

__all__ = ["fit_three_gaussians"]

_COMPONENTS = 3
_ITERATIONS = 300
#: First guess of the widths, in units of the mean width.
_GUESS = np.array([0.6, 1.1, 2.2])
_SMALLEST_DEG = 1e-4


def _expectation(fractions: Floats, variances: Floats, edges: Floats) -> Floats:
    """Part of each ring that each component holds: shape ``(..., n_components, n_rings)``."""
    squared = edges**2
    beyond = np.exp(-0.5 * squared / variances[..., np.newaxis])
    return np.asarray(fractions[..., np.newaxis] * (beyond[..., :-1] - beyond[..., 1:]))


def fit_three_gaussians(rings: Axis, probability: Floats) -> tuple[dict[str, Floats], Floats]:
    """Fit three Gaussians to the probability of rings around the source.

    Maximum likelihood of a mixture of radial Gaussians by expectation and
    maximisation (Dempster, Laird & Rubin 1977): all parts stay positive, so the
    containment never falls.

    Parameters
    ----------
    rings : Axis
        Radii in degrees.
    probability : numpy.ndarray
        Of the rings, shape ``(..., n_rings)``; adds up to one, or is zero everywhere.

    Returns
    -------
    dict of str to numpy.ndarray
        The columns of GADF's PSF_3GAUSS (SCALE in 1/sr, SIGMA_n in degrees,
        AMPL_n), each of shape ``(...)``; zeros where nothing is known.
    numpy.ndarray
        Largest difference between the containment of table and fit, shape ``(...)``.
    """
    total = probability.sum(axis=-1)
    known = total > 0.0
    part = probability / np.where(known, total, 1.0)[..., np.newaxis]
    mean_square = (rings.low**2 + rings.high**2) / 2.0
    width = np.sqrt(np.maximum((part * mean_square).sum(axis=-1) / 2.0, _SMALLEST_DEG**2))
    variances = (width[..., np.newaxis] * _GUESS) ** 2
    fractions = np.full(variances.shape, 1.0 / _COMPONENTS)
    for _ in range(_ITERATIONS):
        expected = _expectation(fractions, variances, rings.edges)
        share = expected / np.maximum(expected.sum(axis=-2, keepdims=True), 1e-300)
        weights = share * part[..., np.newaxis, :]
        fractions = weights.sum(axis=-1)
        variances = (weights * mean_square).sum(axis=-1) / np.maximum(2.0 * fractions, 1e-300)
        variances = np.maximum(variances, _SMALLEST_DEG**2)
    # The brightest in the middle first: GADF's scale is that of the first Gaussian, which cannot be zero.
    amplitudes = np.where(fractions > 0.0, fractions / (2.0 * np.pi * np.radians(1.0) ** 2 * variances), 0.0)
    order = np.argsort(-amplitudes, axis=-1)
    amplitudes = np.take_along_axis(amplitudes, order, axis=-1)
    variances = np.take_along_axis(variances, order, axis=-1)
    fractions = np.take_along_axis(fractions, order, axis=-1)
    fitted = np.cumsum(_expectation(fractions, variances, rings.edges).sum(axis=-2), axis=-1)
    deviation = np.abs(fitted - np.cumsum(part, axis=-1)).max(axis=-1)
    first = np.where(known, amplitudes[..., 0], 1.0)
    columns = {"SCALE": np.where(known, amplitudes[..., 0], 0.0)}
    columns |= {
        f"SIGMA_{n + 1}": np.where(known, np.sqrt(variances[..., n]), 0.0) for n in range(_COMPONENTS)
    }
    columns |= {
        f"AMPL_{n + 1}": np.where(known, amplitudes[..., n] / first, 0.0) for n in range(1, _COMPONENTS)
    }
    return columns, np.where(known, deviation, 0.0)
