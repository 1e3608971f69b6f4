"""The same event simulated many times with our simulator."""

import math
from dataclasses import asdict, dataclass

import astropy.units as u
import numpy as np
from ctapipe.image import hillas_parameters, tailcuts_clean
from ctapipe.image.hillas import HillasParameterizationError
from ctapipe.instrument import CameraGeometry
from numpy.random import Generator, Philox, SeedSequence

from dpps_simpipe.camera.optics import imaged, pointing_axes
from dpps_simpipe.camera.tables import prepare_camera
from dpps_simpipe.compare.real import RealEvent, RealFile
from dpps_simpipe.compare.times import TriggerTime, compare_times
from dpps_simpipe.compiled import FloatArray, IntArray
from dpps_simpipe.instrument import camera_description
from dpps_simpipe.showers.constants import SPEED_OF_LIGHT
from dpps_simpipe.simulation.description import Run
from dpps_simpipe.simulation.events import ArrayEvent, Simulator, ThrownShower
from dpps_simpipe.simulation.kinematics import Kinematics

__all__ = ["Image", "TelescopeComparison", "compare_event"]

#: Cleaning of true images, in photoelectrons: core and border pixels.
PICTURE, BOUNDARY = 6.0, 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """Width, length (degrees), size (photoelectrons) of a cleaned true image; NaN: nothing is left."""

    width: float = math.nan
    length: float = math.nan
    size: float = math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class TelescopeComparison:
    """One telescope of one event: real simulation against ours.

    Parameters
    ----------
    event : str
        Event.
    is_current : bool
        Whether the real efficiencies are those of prod6.
    primary : str
        Primary.
    energy_tev : float
        Its energy.
    tel_id : int
        Telescope.
    kind : str
        Its type.
    impact_m : float
        Distance to the shower's axis.
    depth_real, depth_ours : float
        Depth of maximum in g/cm²; ours: mean.
    photons_real, photons_ours, photons_spread : float
        Photons in the sphere: real; mean and standard deviation of ours.
    photoelectrons_real, photoelectrons_ours, photoelectrons_spread : float
        The same for photoelectrons.
    triggered_real : bool
        Whether the telescope is in the event.
    triggered_ours : float
        Share of our events with the telescope.
    image_real, image_ours, image_spread : Image
        Parameters of the true image; ours: median and half the 16 to 84 % range.
    trigger_time : TriggerTime
        Trigger time relative to the other telescopes of its type, real and ours.
    """

    event: str
    is_current: bool
    primary: str
    energy_tev: float
    tel_id: int
    kind: str
    impact_m: float
    depth_real: float
    depth_ours: float
    photons_real: float
    photons_ours: float
    photons_spread: float
    photoelectrons_real: float
    photoelectrons_ours: float
    photoelectrons_spread: float
    triggered_real: bool
    triggered_ours: float
    image_real: Image
    image_ours: Image
    image_spread: Image
    trigger_time: TriggerTime

    def as_dict(self) -> dict[str, object]:
        """Give plain data.

        Returns
        -------
        dict
            For JSON.
        """
        return asdict(self)


def _image(image: IntArray, geometry: CameraGeometry, focal_length: float) -> Image:
    """Clean and parametrise a true image."""
    clean = tailcuts_clean(geometry, image, picture_thresh=PICTURE, boundary_thresh=BOUNDARY)
    if clean.sum() < 3:
        return Image()
    try:
        hillas = hillas_parameters(geometry[clean], image[clean].astype(float))
    except HillasParameterizationError:
        return Image()
    scale = math.degrees(1.0 / focal_length)
    return Image(
        width=float(hillas.width.to_value(u.m)) * scale,
        length=float(hillas.length.to_value(u.m)) * scale,
        size=float(hillas.intensity),
    )


def _photons_per_reference(band: tuple[float, float]) -> float:
    """Give photons between two wavelengths (nm) relative to our reference band, 240 to 1000 nm."""
    return (1 / band[0] - 1 / band[1]) / (1 / 240.0 - 1 / 1000.0)


def compare_event(file: RealFile, event: RealEvent, *, showers: int, seed: int) -> list[TelescopeComparison]:
    """Simulate an event many times and compare it telescope by telescope.

    Parameters
    ----------
    file : RealFile
        File of the event.
    event : RealEvent
        The event.
    showers : int
        How many times ours is simulated.
    seed : int
        Seed of ours.

    Returns
    -------
    list of TelescopeComparison
        One per telescope.
    """
    run = Run(
        run=1, seed=seed, primary=event.primary, showers=showers, energy_min_tev=event.energy_tev,
        energy_max_tev=event.energy_tev, altitude_deg=math.degrees(file.pointing[0]),
        azimuth_deg=math.degrees(file.pointing[1]), dispersion=False,
    )  # fmt: skip
    simulator = Simulator(run, array=file.array, atmosphere=file.atmosphere)
    kinematics = Kinematics(
        energy_tev=event.energy_tev, altitude=event.altitude, azimuth=event.azimuth,
        cores=np.array([event.core]),
    )  # fmt: skip
    axes = pointing_axes(*file.pointing)
    photons, pes, depths = [], [], []
    count = len(file.array.telescopes)
    triggers = np.zeros(count)
    images: list[list[Image]] = [[] for _ in range(count)]
    times: list[dict[int, float]] = []
    for number in range(showers):
        random = Generator(Philox(SeedSequence(seed, spawn_key=(number,))))
        shower = simulator.develop(kinematics, random, first_interaction=event.first_interaction)
        thrown = ThrownShower(number=number, kinematics=kinematics, shower=shower)
        photons.append(shower.light[:, 0])
        depths.append(shower.depth_of_maximum)
        row = np.zeros(count)
        observed = simulator.observe(thrown, 0, random)
        times.append({} if observed is None else _trigger_times(file, event, observed, axes[2]))
        seen = times[-1].keys()
        for index, (telescope, light) in enumerate(
            zip(file.array.telescopes, simulator.photons(thrown, 0), strict=True)
        ):
            camera = prepare_camera(telescope.kind)
            pixel = imaged(light, axes, camera.optics, camera.raster, random)[0]
            image = np.bincount(pixel[pixel >= 0], minlength=camera.n_pixels)
            row[index] = image.sum()
            if telescope.tel_id in seen:
                triggers[index] += 1
                geometry = camera_description(telescope.kind).geometry
                images[index].append(_image(image, geometry, telescope.kind.effective_focal_length_m))
        pes.append(row)
    compared = _compared_times(file, event, times)
    return _comparisons(file, event, np.array(photons), np.array(pes), depths, triggers, images, compared)


def _trigger_times(
    file: RealFile, event: RealEvent, observed: ArrayEvent, pointing: FloatArray
) -> dict[int, float]:
    """Give trigger times in ns, the delay of a plane wave from the pointing taken out."""
    positions = {one.tel_id: np.array(one.position_m) for one in file.array.telescopes}
    core = np.array([*event.core, 0.0])
    return {
        one.tel_id: one.trigger_time - float((core - positions[one.tel_id]) @ pointing) / SPEED_OF_LIGHT
        for one in observed.telescopes
    }


def _compared_times(
    file: RealFile, event: RealEvent, times: list[dict[int, float]]
) -> dict[int, TriggerTime]:
    """Compare trigger times type by type."""
    compared: dict[int, TriggerTime] = {}
    for kind in {one.kind.name for one in file.array.telescopes}:
        mine = {one.tel_id for one in file.array.telescopes if one.kind.name == kind}
        real = {tel_id: time for tel_id, time in event.trigger_times.items() if tel_id in mine}
        ours = [{tel_id: time for tel_id, time in one.items() if tel_id in mine} for one in times]
        compared |= compare_times(real, ours)
    return compared


def _comparisons(
    file: RealFile,
    event: RealEvent,
    photons: FloatArray,
    pes: FloatArray,
    depths: list[float],
    triggers: FloatArray,
    images: list[list[Image]],
    times: dict[int, TriggerTime],
) -> list[TelescopeComparison]:
    """Sum up the showers of an event."""
    direction = np.array(
        Kinematics(
            energy_tev=event.energy_tev,
            altitude=event.altitude,
            azimuth=event.azimuth,
            cores=np.zeros((1, 2)),
        ).direction
    )
    result = []
    for index, telescope in enumerate(file.array.telescopes):
        kind, tel_id = telescope.kind, telescope.tel_id
        scale = (kind.sphere_radius_m / kind.dish_edge_m) ** 2 * _photons_per_reference(file.band)
        away = np.array(telescope.position_m) - np.array([*event.core, 0.0])
        geometry = camera_description(kind).geometry
        real = event.images.get(tel_id)
        middle, spread = _summary(images[index])
        result.append(
            TelescopeComparison(
                event=event.name,
                is_current=file.is_current,
                primary=event.primary,
                energy_tev=event.energy_tev,
                tel_id=tel_id,
                kind=kind.name,
                impact_m=float(np.linalg.norm(np.cross(away, direction))),
                depth_real=event.depth_of_maximum,
                depth_ours=float(np.nanmean(depths)),
                photons_real=event.photons[tel_id],
                photons_ours=float(photons[:, index].mean() * scale),
                photons_spread=float(photons[:, index].std() * scale),
                photoelectrons_real=event.photoelectrons[tel_id],
                photoelectrons_ours=float(pes[:, index].mean()),
                photoelectrons_spread=float(pes[:, index].std()),
                triggered_real=tel_id in event.triggered,
                triggered_ours=float(triggers[index] / len(pes)),
                image_real=Image() if real is None else _image(real, geometry, kind.effective_focal_length_m),
                image_ours=middle,
                image_spread=spread,
                trigger_time=times.get(tel_id, TriggerTime()),
            )
        )
    return result


def _summary(images: list[Image]) -> tuple[Image, Image]:
    """Give median and half of the 16 to 84 % range of image parameters."""
    middle, spread = {}, {}
    for name in ("width", "length", "size"):
        values = np.array([getattr(image, name) for image in images])
        values = values[np.isfinite(values)]
        if len(values) < 3:
            continue
        low, middle[name], high = (float(value) for value in np.percentile(values, (16, 50, 84)))
        spread[name] = 0.5 * (high - low)
    return Image(**middle), Image(**spread)
