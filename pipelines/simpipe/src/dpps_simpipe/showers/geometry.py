"""Directions in compiled code: turning, deflection, look-up in the air."""

import math

from numpy.random import Generator

from dpps_simpipe.atmosphere.profile import Air
from dpps_simpipe.compiled import compiled

__all__ = ["altitude_of", "azimuth", "bent", "interpolated", "nudged", "turned"]


@compiled
def turned(ux: float, uy: float, uz: float, theta: float, phi: float) -> tuple[float, float, float]:
    """Turn a unit vector by a polar angle theta at azimuth phi around it."""
    sine, cosine = math.sin(theta), math.cos(theta)
    a, b = sine * math.cos(phi), sine * math.sin(phi)
    transverse = math.sqrt(ux * ux + uy * uy)
    if transverse < 1e-9:
        return a, b, math.copysign(cosine, uz)
    vx = ux * cosine + (a * ux * uz - b * uy) / transverse
    vy = uy * cosine + (a * uy * uz + b * ux) / transverse
    vz = uz * cosine - a * transverse
    scale = 1.0 / math.sqrt(vx * vx + vy * vy + vz * vz)
    return vx * scale, vy * scale, vz * scale


@compiled
def nudged(direction: tuple[float, float, float], a: float, b: float) -> tuple[float, float, float]:
    """Turn a unit vector by small angles a and b along two directions perpendicular to it.

    The perpendicular directions need no root (T. Duff et al., J. Comput. Graph. Tech. 6 (2017) 1).
    """
    ux, uy, uz = direction
    sign = math.copysign(1.0, uz)
    c = -1.0 / (sign + uz)
    d = ux * uy * c
    vx = ux + a * (1.0 + sign * ux * ux * c) + b * d
    vy = uy + a * sign * d + b * (sign + uy * uy * c)
    vz = uz - a * sign * ux - b * uy
    scale = 1.0 / math.sqrt(vx * vx + vy * vy + vz * vz)
    return vx * scale, vy * scale, vz * scale


@compiled
def bent(
    direction: tuple[float, float, float],
    field: tuple[float, float, float],
    length: float,
    momentum: float,
    charge: float,
) -> tuple[float, float, float]:
    """Bend a unit vector in a magnetic field (T) over a length (m) at a momentum (MeV)."""
    ux, uy, uz = direction
    turn = charge * 299.792458 * length / momentum
    vx = ux + turn * (uy * field[2] - uz * field[1])
    vy = uy + turn * (uz * field[0] - ux * field[2])
    vz = uz + turn * (ux * field[1] - uy * field[0])
    scale = 1.0 / math.sqrt(vx * vx + vy * vy + vz * vz)
    return vx * scale, vy * scale, vz * scale


@compiled
def interpolated(table, step: float, value: float) -> float:  # type: ignore[no-untyped-def] # numba types the array
    """Interpolate a table on a uniform grid from 0; outside, the last values."""
    place = value / step
    if place <= 0.0:
        return float(table[0])
    index = int(place)
    if index >= len(table) - 1:
        return float(table[-1])
    part = place - index
    return float(table[index] * (1.0 - part) + table[index + 1] * part)


@compiled
def altitude_of(air: Air, thickness: float) -> float:
    """Give the altitude in m with a vertical mass above (g/cm²)."""
    if thickness <= 0.0:
        return air.top
    first, step = air.log_thickness
    return interpolated(air.altitude, step, math.log(thickness) - first)


@compiled
def azimuth(random: Generator) -> float:
    """Draw an angle."""
    return 2.0 * math.pi * random.random()
