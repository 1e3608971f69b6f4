"""From photons at a telescope to pixels: reflection on the dish, spot, camera."""

import math

import numpy as np
from numpy.random import Generator

from dpps_simpipe.camera.tables import Optics, Raster
from dpps_simpipe.compiled import FloatArray, IntArray, compiled
from dpps_simpipe.showers.constants import SPEED_OF_LIGHT

__all__ = ["imaged", "pointing_axes"]


def pointing_axes(altitude: float, azimuth: float) -> FloatArray:
    """Give the axes of a telescope in the ground frame (North, West, up).

    Parameters
    ----------
    altitude, azimuth : float
        Pointing in rad; azimuth from North to East.

    Returns
    -------
    array
        Rows: direction of increasing altitude (camera x), of increasing azimuth (camera y), pointing.
        Shape (3, 3).
    """
    sin_alt, cos_alt = math.sin(altitude), math.cos(altitude)
    sin_az, cos_az = math.sin(azimuth), math.cos(azimuth)
    return np.array(
        [
            [-sin_alt * cos_az, sin_alt * sin_az, cos_alt],
            [-sin_az, -cos_az, 0.0],
            [cos_alt * cos_az, -cos_alt * sin_az, sin_alt],
        ]
    )


@compiled
def _surface(optics: Optics, radius_squared: float) -> float:
    """Give the height of the dish above its vertex."""
    if optics.dish_radius <= 0.0:
        return radius_squared / (4.0 * optics.focal_length)
    return optics.dish_radius - math.sqrt(optics.dish_radius * optics.dish_radius - radius_squared)


@compiled
def _reflected(
    optics: Optics, a: float, b: float, va: float, vb: float, vp: float
) -> tuple[float, float, float]:
    """Give place in the focal plane and path length from the aperture plane to it.

    Facets are aligned perfectly: light along the axis is sent to the focus from every point of the dish, so
    the normal halves the angle between the axis and the way to the focus (parabola and Davies-Cotton alike:
    J.M. Davies & E.S. Cotton, Sol. Energy 1 (1957) 16; A. Schliesser & R. Mirzoyan, Astropart. Phys. 24
    (2005) 382).
    """
    height = _surface(optics, a * a + b * b)
    back = height / vp
    a, b = a + va * back, b + vb * back
    fa, fb, fp = -a, -b, optics.focal_length - height
    distance = math.sqrt(fa * fa + fb * fb + fp * fp)
    na, nb, np_ = fa / distance, fb / distance, fp / distance + 1.0
    norm = math.sqrt(na * na + nb * nb + np_ * np_)
    na, nb, np_ = na / norm, nb / norm, np_ / norm
    dot = 2.0 * (va * na + vb * nb + vp * np_)
    ra, rb, rp = va - dot * na, vb - dot * nb, vp - dot * np_
    way = (optics.focal_length + optics.focus_offset - height) / rp
    return a + ra * way, b + rb * way, back + way


@compiled
def imaged(
    photons: FloatArray,
    axes: FloatArray,
    optics: Optics,
    raster: Raster,
    random: Generator,
) -> tuple[IntArray, FloatArray]:
    """Bring photons to pixels.

    Parameters
    ----------
    photons : array
        Rows of `dpps_simpipe.showers.PHOTON_COLUMNS` of one telescope. Shape (n, 8).
    axes : array
        See `pointing_axes`. Shape (3, 3).
    optics : Optics
        Mirror.
    raster : Raster
        Pixels.
    random : Generator
        Source of randomness.

    Returns
    -------
    tuple of array
        Pixel of each photon (-1: none) and its time there in ns. Shapes (n,).
    """
    number = len(photons)
    pixel = np.full(number, -1, dtype=np.int32)
    time = np.zeros(number)
    size = raster.cells.shape[0]
    for row in range(number):
        photon = photons[row]
        wa = photon[0] * axes[0, 0] + photon[1] * axes[0, 1] + photon[2] * axes[0, 2]
        wb = photon[0] * axes[1, 0] + photon[1] * axes[1, 1] + photon[2] * axes[1, 2]
        wp = photon[0] * axes[2, 0] + photon[1] * axes[2, 1] + photon[2] * axes[2, 2]
        va = photon[3] * axes[0, 0] + photon[4] * axes[0, 1] + photon[5] * axes[0, 2]
        vb = photon[3] * axes[1, 0] + photon[4] * axes[1, 1] + photon[5] * axes[1, 2]
        vp = photon[3] * axes[2, 0] + photon[4] * axes[2, 1] + photon[5] * axes[2, 2]
        if vp > -0.5:
            continue
        to_plane = -wp / vp
        a, b = wa + va * to_plane, wb + vb * to_plane
        if a * a + b * b > optics.edge * optics.edge:
            continue
        if optics.is_imaging:
            x, y, way = optics.focal_length * va / -vp, optics.focal_length * vb / -vp, 0.0
        else:
            x, y, way = _reflected(optics, a, b, va, vb, vp)
        x = -x + optics.spot * random.standard_normal()
        y = -y + optics.spot * random.standard_normal()
        i, j = int((x - raster.origin) / raster.step), int((y - raster.origin) / raster.step)
        if 0 <= i < size and 0 <= j < size:
            pixel[row] = raster.cells[i, j]
            time[row] = photon[6] + (to_plane + way) / SPEED_OF_LIGHT
    return pixel, time
