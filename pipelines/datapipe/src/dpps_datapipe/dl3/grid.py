"""The response at an observation, from one response or a grid of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dpps.domain.steps import ConfigurationError, InsufficientStatistics, MissingInput
from dpps_datapipe.dl3.sky import field_angle_deg
from dpps_datapipe.irf.reading import Axis, Floats, Response, ResponseFile

__all__ = ["Choice", "GridPoint", "choose_points", "grid_point", "interpolate"]

_SAME = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class GridPoint:
    """Where a response was simulated: degrees."""

    file: ResponseFile
    zenith: float
    azimuth: float
    #: Between pointing and magnetic field.
    field_angle: float
    field_declination: float
    field_inclination: float

    @property
    def path(self) -> Path:
        """The file."""
        return self.file.path


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Points and the coordinates in which the response is interpolated between them."""

    points: tuple[GridPoint, ...]
    #: Shape ``(n_points, n_dimensions)``; no dimensions: one point, taken as it is.
    coordinates: Floats
    target: Floats
    #: What a reader of the event list should know.
    note: str


def grid_point(file: ResponseFile) -> GridPoint:
    """Read where a response was simulated.

    Raises
    ------
    MissingInput
        If its headers do not say (``ZEN_PNT``, ``AZ_PNT``, ``B_DEC``, ``B_INC``).
    """
    header = file.of_kind("AEFF_2D")[0].header
    names = ("ZEN_PNT", "AZ_PNT", "B_DEC", "B_INC")
    missing = [name for name in names if name not in header]
    if missing:
        raise MissingInput(
            f"the response does not say where it was simulated ({', '.join(missing)})",
            path=file.path,
            next_step="give --irf-zenith for a single response, or compute it with dpps-datapipe compute-irf",
        )
    zenith, azimuth, declination, inclination = (float(header[name]) for name in names)
    return GridPoint(
        file=file,
        zenith=zenith,
        azimuth=azimuth,
        field_angle=field_angle_deg(zenith, azimuth, declination, inclination),
        field_declination=declination,
        field_inclination=inclination,
    )


def _coordinates(zenith: float, field_angle: float) -> list[float]:
    """The air mass grows with 1/cos(zenith), the deflection with the sine of the angle to the field."""
    return [float(np.cos(np.radians(zenith))), float(np.sin(np.radians(field_angle)))]


def choose_points(points: Sequence[GridPoint], zenith: float, azimuth: float) -> Choice:
    """Decide how the response at a pointing is found.

    Parameters
    ----------
    points : sequence of GridPoint
        At least one.
    zenith, azimuth : float
        Of the observation, degrees.

    Returns
    -------
    Choice
        With one point: that one, and a note of how far away it is. With several:
        interpolation in cos(zenith) and the sine of the angle to the magnetic
        field, in those of the two that vary (two points: the first that varies).

    Raises
    ------
    InsufficientStatistics
        If the pointing lies outside of the grid: nothing is extrapolated.
    """
    first = points[0]
    angle = field_angle_deg(zenith, azimuth, first.field_declination, first.field_inclination)
    if len(points) == 1:
        note = (
            f"one response at zenith {first.zenith:.1f} deg, {first.field_angle:.1f} deg from field, "
            f"for {zenith:.1f} and {angle:.1f} deg"
        )
        return Choice(points=tuple(points), coordinates=np.zeros((1, 0)), target=np.zeros(0), note=note)
    coordinates = np.array([_coordinates(point.zenith, point.field_angle) for point in points])
    target = np.array(_coordinates(zenith, angle))
    varying = np.ptp(coordinates, axis=0) > _SAME
    if not varying.any():
        raise ConfigurationError("all responses are of one point", next_step="give one of them, or a grid")
    if len(points) == 2 and varying.all():
        varying[1] = False
    coordinates, target = coordinates[:, varying], target[varying]
    if not _inside(coordinates, target):
        zeniths = [point.zenith for point in points]
        angles = [point.field_angle for point in points]
        raise InsufficientStatistics(
            f"the observation (zenith {zenith:.1f} deg, {angle:.1f} deg from the magnetic field) lies "
            f"outside of the grid of {len(points)} responses (zenith {min(zeniths):.1f} to "
            f"{max(zeniths):.1f} deg, {min(angles):.1f} to {max(angles):.1f} deg from the field)",
            next_step="give responses around the observation",
        )
    note = (
        f"interpolated between {len(points)} responses at zenith {zenith:.1f} deg, {angle:.1f} deg from field"
    )
    return Choice(points=tuple(points), coordinates=coordinates, target=target, note=note)


def _inside(coordinates: Floats, target: Floats) -> bool:
    if coordinates.shape[1] == 1:
        return bool(coordinates.min() <= target[0] <= coordinates.max())
    from scipy.spatial import Delaunay, QhullError

    try:
        return bool(Delaunay(coordinates).find_simplex(target) >= 0)
    except QhullError as error:
        raise ConfigurationError(
            "the responses lie on one line in zenith and field angle",
            next_step="give a grid, or responses that differ in one of the two",
        ) from error


def _same_axes(responses: Sequence[Response], points: Sequence[GridPoint]) -> None:
    first = responses[0]
    for response, point in zip(responses, points, strict=True):
        for name, axis in first.axes.items():
            other = response.axes.get(name)
            if (
                other is None
                or other.edges.shape != axis.edges.shape
                or not np.allclose(other.edges, axis.edges)
            ):
                raise ConfigurationError(
                    f"HDU {response.name!r} has other bins along {name} than in {points[0].path}",
                    path=point.path,
                    next_step="compute all responses of a grid with one configuration",
                )


def _estimator(kind: str, axes: dict[str, Axis], coordinates: Floats, values: Floats) -> Any:
    """Choose pyirf's interpolation of a kind of response; `values` has the points first."""
    from astropy import units as u
    from pyirf import interpolation as pyirf

    if kind == "AEFF_2D":
        return pyirf.EffectiveAreaEstimator(coordinates, values * u.m**2)
    if kind == "EDISP_2D":
        return pyirf.EnergyDispersionEstimator(coordinates, axes["MIGRA"].edges, values, axis=-2)
    if kind == "PSF_TABLE":
        # pyirf: energy, offset, radius.
        moved = np.moveaxis(values, 1, -1)
        return pyirf.PSFTableEstimator(coordinates, axes["RAD"].edges * u.deg, moved / u.sr)
    if kind == "RAD_MAX_2D":
        return pyirf.RadMaxEstimator(coordinates, values)
    return pyirf.ParametrizedComponentEstimator(
        coordinates, params=values, interpolator_cls=pyirf.GridDataInterpolator
    )


def interpolate(choice: Choice, kind: str, column: str) -> tuple[Response, Floats] | None:
    """Give the values of one kind of response at the observation.

    Parameters
    ----------
    choice : Choice
        The points.
    kind : str
        Word of GADF, e.g. ``AEFF_2D``; the first HDU of the kind counts.
    column : str
        Column of the values.

    Returns
    -------
    tuple of Response and numpy.ndarray, or None
        The HDU of the first point (axes, headers) and the values at the
        observation; None where the responses do not have the kind.

    Raises
    ------
    ConfigurationError
        If the responses have other bins, or only some of them have the kind.
    """
    found = [point.file.of_kind(kind) for point in choice.points]
    if not any(found):
        return None
    if not all(found):
        raise ConfigurationError(f"only some of the responses have {kind}")
    responses = [several[0] for several in found]
    _same_axes(responses, choice.points)
    first = responses[0]
    if choice.coordinates.shape[1] == 0:
        return first, first.values[column]
    values = np.array([response.values[column] for response in responses])
    estimator = _estimator(kind, dict(first.axes), choice.coordinates, values)
    result = np.asarray(getattr(estimate := estimator(choice.target), "value", estimate))[0]
    if kind == "PSF_TABLE":
        result = np.moveaxis(result, -1, 0)
    return first, np.nan_to_num(result.reshape(first.values[column].shape))
