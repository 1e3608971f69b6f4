"""A telescope type prepared for compiled code: pixels, pulses, trigger groups."""

import math
from functools import lru_cache
from typing import NamedTuple

import astropy.units as u
import numpy as np
from ctapipe.instrument import CameraGeometry, PixelShape
from scipy.spatial import cKDTree

from dpps_simpipe.compiled import FloatArray, IntArray
from dpps_simpipe.instrument import TelescopeType, camera_description

__all__ = ["Camera", "Optics", "Pulses", "Raster", "prepare_camera"]

#: Cells of the pixel raster per pixel spacing.
RASTER_CELLS = 12
#: Part of a pulse's peak below which its tail is cut.
PULSE_TAIL = 2e-3


class Optics(NamedTuple):
    """Mirror and focal plane; lengths in m.

    Attributes
    ----------
    edge : float
        Radius of the dish.
    focal_length, focus_offset : float
        Focus of the mirror, and how far behind it the camera is.
    dish_radius : float
        Radius of curvature of the surface; 0: parabola.
    spot : float
        Gaussian spread in the focal plane, each axis.
    is_imaging : bool
        True for two-mirror optics: every ray of a direction meets one point.
    """

    edge: float
    focal_length: float
    focus_offset: float
    dish_radius: float
    spot: float
    is_imaging: bool


class Raster(NamedTuple):
    """Which pixel is at a place.

    Attributes
    ----------
    cells : array
        Pixel index, -1 where there is none. Shape (n, n), first axis x.
    origin : float
        Lowest x and y in m.
    step : float
        Size of a cell in m.
    """

    cells: IntArray
    origin: float
    step: float


class Pulses(NamedTuple):
    """Pulse of one photoelectron, peak 1.

    Attributes
    ----------
    shape : array
        By gain channel and fine time. Shape (n_channels, n).
    step : float
        Fine time step in ns.
    sample : float
        Sampling interval of the camera in ns.
    area : array
        Sum over samples, by channel. Shape (n_channels,).
    """

    shape: FloatArray
    step: float
    sample: float
    area: FloatArray


class Camera(NamedTuple):
    """A telescope type in compiled code's terms.

    Attributes
    ----------
    optics : Optics
        Mirror.
    raster : Raster
        Pixels by place.
    pulses : Pulses
        Pulse shapes.
    n_pixels, n_samples : int
        Size of the read-out.
    group_start, group_pixels : array
        Trigger groups: pixels of group i are group_pixels[group_start[i]:group_start[i+1]]. For a
        majority trigger: the neighbours of pixel i.
    """

    optics: Optics
    raster: Raster
    pulses: Pulses
    n_pixels: int
    n_samples: int
    group_start: IntArray
    group_pixels: IntArray


def _raster(x: FloatArray, y: FloatArray, spacing: float, is_square: bool) -> Raster:
    """Give every small cell its nearest pixel, if it lies inside it."""
    reach = float(np.hypot(x, y).max()) + spacing
    step = spacing / RASTER_CELLS
    count = math.ceil(2 * reach / step)
    centres = -reach + (np.arange(count) + 0.5) * step
    places = np.stack(np.meshgrid(centres, centres, indexing="ij"), axis=-1).reshape(-1, 2)
    corner = math.sqrt(0.5) if is_square else 1 / math.sqrt(3)
    distance, pixel = cKDTree(np.column_stack([x, y])).query(
        places, distance_upper_bound=spacing * corner * 1.001
    )
    cells = np.where(np.isfinite(distance), pixel, -1).astype(np.int32).reshape(count, count)
    return Raster(cells=cells, origin=-reach, step=step)


def _pulses(shape: FloatArray, step: float, sample: float) -> Pulses:
    """Cut the tail, make the peak 1, sum over samples."""
    significant = np.nonzero((shape / shape.max(axis=1, keepdims=True)).max(axis=0) > PULSE_TAIL)[0]
    kept = shape[:, : significant[-1] + 2]
    kept = kept / kept.max(axis=1, keepdims=True)
    return Pulses(
        shape=np.ascontiguousarray(kept),
        step=step,
        sample=sample,
        area=kept.sum(axis=1) * step / sample,
    )


def _rows(groups: list[IntArray]) -> tuple[IntArray, IntArray]:
    """Put groups one behind the other."""
    start = np.concatenate(([0], np.cumsum([len(group) for group in groups])))
    return start.astype(np.int64), np.concatenate(groups).astype(np.int64)


def _trigger_groups(kind: TelescopeType, geometry: CameraGeometry) -> tuple[IntArray, IntArray]:
    """Make the pixel groups of a trigger: neighbours, or three modules that touch each other."""
    neighbors = geometry.neighbor_matrix_sparse.tocsr()
    n_pixels = geometry.n_pixels
    own = np.split(neighbors.indices, neighbors.indptr[1:-1])
    if kind.trigger == "majority":
        return _rows(own)
    if kind.trigger_module == 0:
        return _rows([np.append(group, pixel) for pixel, group in enumerate(own)])
    module = np.arange(n_pixels) // kind.trigger_module
    touching: dict[int, set[int]] = {}
    for pixel, group in enumerate(own):
        touching.setdefault(int(module[pixel]), set()).update(
            int(other) for other in module[group] if other != module[pixel]
        )
    triples = [
        (a, b, c)
        for a, nearby in sorted(touching.items())
        for b in sorted(nearby)
        for c in sorted(nearby & touching[b])
        if a < b < c
    ]
    return _rows([np.nonzero(np.isin(module, triple))[0] for triple in triples])


@lru_cache(maxsize=16)
def prepare_camera(kind: TelescopeType) -> Camera:
    """Prepare a telescope type for compiled code.

    Parameters
    ----------
    kind : TelescopeType
        Telescope type of the instrument model.

    Returns
    -------
    Camera
        Its tables.
    """
    description = camera_description(kind)
    geometry, readout = description.geometry, description.readout
    x, y = geometry.pix_x.to_value(u.m), geometry.pix_y.to_value(u.m)
    spacing = float(np.median(cKDTree(np.column_stack([x, y])).query(np.column_stack([x, y]), k=2)[0][:, 1]))
    start, pixels = _trigger_groups(kind, geometry)
    return Camera(
        optics=Optics(
            edge=kind.dish_edge_m,
            focal_length=kind.focal_length_m,
            focus_offset=kind.focus_offset_m,
            dish_radius=kind.dish_radius_m,
            spot=math.radians(kind.spot_sigma_deg) * kind.focal_length_m,
            is_imaging=kind.n_mirrors > 1,
        ),
        raster=_raster(x, y, spacing, geometry.pix_type is PixelShape.SQUARE),
        pulses=_pulses(
            np.asarray(readout.reference_pulse_shape, dtype=float),
            float(readout.reference_pulse_sample_width.to_value(u.ns)),
            float(1.0 / readout.sampling_rate.to_value(u.GHz)),
        ),
        n_pixels=geometry.n_pixels,
        n_samples=int(readout.n_samples),
        group_start=start,
        group_pixels=pixels,
    )
