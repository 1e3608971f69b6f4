"""ctapipe's stereo reconstruction without the machinery of coordinate frames.

The stock `ctapipe.reco.HillasReconstructor` (0.32) makes a dozen coordinate objects for each event; that
takes most of its time. Here the same formulas are applied to plain numbers: rotations between the frame of
a telescope and the horizon are matrices. Results agree to rounding; the tests compare them event by event.
"""

from typing import Any, NamedTuple

import astropy.units as u
import numpy as np
from astropy.coordinates import Latitude, Longitude
from ctapipe.containers import (
    ArrayEventContainer,
    CameraHillasParametersContainer,
    ReconstructedGeometryContainer,
    TelescopeImpactParameterContainer,
)
from ctapipe.coordinates import impact_distance
from ctapipe.instrument import SubarrayDescription
from ctapipe.reco.hillas_reconstructor import HillasReconstructor, line_line_intersection_3d
from ctapipe.reco.reconstructor import InvalidWidthException, TooFewTelescopesException
from numpy.typing import NDArray

__all__ = ["PlainHillasReconstructor"]

type Numbers = NDArray[np.float64]

#: Tables and columns have the name of the stock component, whose configuration is used as well.
_NAME = HillasReconstructor.__name__
#: Part of a camera's radius at which the second point on the axis of an image is taken, as in the stock one.
_SECOND_POINT = 0.1


class _Images(NamedTuple):
    """What is used of the images of an event: places of telescopes, directions in rad. Shapes (n,)."""

    place: NDArray[np.intp]
    altitude: Numbers
    azimuth: Numbers
    weight: Numbers
    #: Longitude and latitude in the frame of the telescope: centre, and a second point on the axis.
    centre: tuple[Numbers, Numbers]
    ahead: tuple[Numbers, Numbers]


def _unit_vectors(lon: Numbers, lat: Numbers) -> Numbers:
    """Give the unit vectors of spherical coordinates in rad. Shape (n, 3)."""
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)


def _to_telescope(altitude: Any, azimuth: Any) -> Numbers:
    """Give the rotation from the horizon (North, East, up) to the frame of a telescope. Shape (…, 3, 3)."""
    sin_alt, cos_alt = np.sin(altitude), np.cos(altitude)
    sin_az, cos_az = np.sin(azimuth), np.cos(azimuth)
    rows = [
        [cos_alt * cos_az, cos_alt * sin_az, sin_alt],
        [-sin_az, cos_az, np.zeros_like(sin_az)],
        [-sin_alt * cos_az, -sin_alt * sin_az, cos_alt],
    ]
    return np.moveaxis(np.array(rows), (0, 1), (-2, -1))


def _to_tilted(altitude: float, azimuth: float) -> Numbers:
    """Give the rotation from the ground (North, West, up) to the plane that the array looks along."""
    sin_alt, cos_alt = np.sin(altitude), np.cos(altitude)
    sin_az, cos_az = np.sin(azimuth), np.cos(azimuth)
    return np.array(
        [
            [sin_alt * cos_az, -sin_alt * sin_az, -cos_alt],
            [sin_az, cos_az, 0.0],
            [cos_alt * cos_az, -cos_alt * sin_az, sin_alt],
        ]
    )


class PlainHillasReconstructor(HillasReconstructor):  # type: ignore[misc] # its module is not typed
    """The stock reconstruction, with the configuration, the tables and the columns of the stock one."""

    def __init__(self, subarray: SubarrayDescription, **kwargs: Any) -> None:
        super().__init__(subarray=subarray, **kwargs)
        self._positions: Numbers = subarray.tel_coords.cartesian.xyz.to_value(u.m).T
        self._ground = subarray.reference_location.geodetic.height
        self._reach = {tel_id: np.deg2rad(radius) for tel_id, radius in self._cam_radius_deg.items()}

    def __call__(self, event: ArrayEventContainer) -> None:
        """Reconstruct direction, core and height of the maximum.

        Parameters
        ----------
        event : ctapipe.containers.ArrayEventContainer
            With the parameters of images in the frame of the telescope; the results are added.
        """
        try:
            hillas = self._create_hillas_dict(event)
        except (TooFewTelescopesException, InvalidWidthException):
            geometry = ReconstructedGeometryContainer(telescopes=[], prefix=_NAME)
        else:
            geometry = self._geometry(event, hillas)
        event.dl2.stereo.geometry[_NAME] = geometry
        self._store_impact_parameter(event)

    def _images(self, event: ArrayEventContainer, hillas: dict[int, Any]) -> _Images:
        pointing = [event.monitoring.tel[tel_id].pointing for tel_id in hillas]
        images = hillas.values()
        points = [self._points(tel_id, one) for tel_id, one in hillas.items()]
        lon, lat, lon_ahead, lat_ahead = np.array(points).T
        return _Images(
            place=self.subarray.tel_index_array[list(hillas)],
            altitude=np.array([one.altitude.to_value(u.rad) for one in pointing]),
            azimuth=np.array([one.azimuth.to_value(u.rad) for one in pointing]),
            weight=np.array([one.intensity * one.length.value / one.width.value for one in images]),
            centre=(lon, lat),
            ahead=(lon_ahead, lat_ahead),
        )

    def _points(self, tel_id: int, hillas: Any) -> tuple[float, float, float, float]:
        """Give longitude and latitude in rad of the centre of an image and of a point on its axis."""
        psi = hillas.psi.to_value(u.rad)
        step = np.array([np.cos(psi), np.sin(psi)]) * _SECOND_POINT
        if isinstance(hillas, CameraHillasParametersContainer):
            # The first axis of the camera goes up: it is the latitude, in units of the focal length.
            focal_length = self.subarray.tel[tel_id].camera.geometry.frame.focal_length.to_value(u.m)
            centre = np.array([hillas.x.to_value(u.m), hillas.y.to_value(u.m)])
            ahead = centre + step * self._cam_radius_m[tel_id]
            (lat, lon), (lat_ahead, lon_ahead) = centre / focal_length, ahead / focal_length
        else:
            lon, lat = hillas.fov_lon.to_value(u.rad), hillas.fov_lat.to_value(u.rad)
            lon_ahead, lat_ahead = np.array([lon, lat]) + step * self._reach[tel_id]
        return lon, lat, lon_ahead, lat_ahead

    def _geometry(self, event: ArrayEventContainer, hillas: dict[int, Any]) -> ReconstructedGeometryContainer:
        images = self._images(event, hillas)
        to_telescope = _to_telescope(images.altitude, images.azimuth)
        # The transposed matrix turns back, to the horizon.
        centre = np.einsum("nji,nj->ni", to_telescope, _unit_vectors(*images.centre))
        ahead = np.einsum("nji,nj->ni", to_telescope, _unit_vectors(*images.ahead))
        array = event.monitoring.pointing
        altitude, azimuth = array.array_altitude.to_value(u.rad), array.array_azimuth.to_value(u.rad)
        psi = _psi_in_array_frame(centre, ahead, _to_telescope(altitude, azimuth))
        for tel_id, angle in zip(hillas, psi, strict=True):
            event.dl1.tel[tel_id].parameters.core.psi = u.Quantity(np.rad2deg(angle), u.deg)
        # Azimuths turn from North to East: West is the second axis of what is right-handed.
        west = np.array([1.0, -1.0, 1.0])
        centre, ahead = centre * west, ahead * west
        direction, error = self.estimate_direction(np.cross(centre, ahead), images.weight)
        longitude, latitude = _angles(direction)
        positions = self._positions[images.place]
        tilted, ground = _core(psi, positions, _to_tilted(altitude, azimuth))
        height = u.Quantity(line_line_intersection_3d(centre, positions)[2], u.m)
        return ReconstructedGeometryContainer(
            alt=Latitude(latitude, u.rad),
            az=Longitude(-longitude, u.rad),
            core_x=u.Quantity(ground[0], u.m),
            core_y=u.Quantity(ground[1], u.m),
            core_tilted_x=u.Quantity(tilted[0], u.m),
            core_tilted_y=u.Quantity(tilted[1], u.m),
            telescopes=list(hillas),
            average_intensity=np.mean([one.intensity for one in hillas.values()]),
            is_valid=True,
            alt_uncert=error,
            az_uncert=error,
            h_max=height + self._ground,
            prefix=_NAME,
        )

    def _store_impact_parameter(self, event: ArrayEventContainer) -> None:
        """Give the telescopes of the event their distance from the shower's axis."""
        geometry = event.dl2.stereo.geometry[_NAME]
        distances = np.full(len(self._positions), np.nan)
        if geometry.is_valid:
            core = np.array([geometry.core_x.to_value(u.m), geometry.core_y.to_value(u.m), 0.0])
            azimuth, altitude = geometry.az.to_value(u.rad), geometry.alt.to_value(u.rad)
            distances = impact_distance(core, _unit_vectors(-azimuth, altitude), self._positions)
        prefix = f"{_NAME}_tel_{TelescopeImpactParameterContainer.default_prefix}"
        for tel_id in event.trigger.tels_with_trigger:
            distance = u.Quantity(distances[self.subarray.tel_indices[tel_id]], u.m)
            event.dl2.tel[tel_id].impact[_NAME] = TelescopeImpactParameterContainer(
                distance=distance, prefix=prefix
            )


def _psi_in_array_frame(centre: Numbers, ahead: Numbers, to_array: Numbers) -> Numbers:
    """Give the angles of images' axes in the frame of the array's pointing, in rad. Shape (n,)."""
    (lon, lat), (lon_ahead, lat_ahead) = (_angles(points @ to_array.T) for points in (centre, ahead))
    return np.arctan((lon - lon_ahead) / (lat - lat_ahead))


def _angles(vectors: Numbers) -> tuple[Numbers, Numbers]:
    """Give longitude and latitude of vectors, in rad. Shapes (n,)."""
    x, y, z = vectors.T
    return np.arctan2(y, x), np.arctan2(z, np.hypot(x, y))


def _core(psi: Numbers, positions: Numbers, to_tilted: Numbers) -> tuple[Numbers, Numbers]:
    """Intersect the axes of images in the tilted plane; give the core there and on the ground, in m."""
    axes = np.column_stack([np.cos(psi), np.sin(psi), np.zeros(len(psi))])
    tilted = line_line_intersection_3d(axes, positions @ to_tilted.T)
    x, y, z = to_tilted.T @ np.array([tilted[0], tilted[1], 0.0])
    view = to_tilted[2]
    return tilted, np.array([x - view[0] * z / view[2], y - view[1] * z / view[2]])
