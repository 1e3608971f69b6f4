"""Toy showers: directions, cores and camera images that agree with each other.

A shower is a straight line. Its light comes from one stretch of that line,
`_EMISSION_HEIGHT_M` above the ground, so the image in a telescope lies between
the direction of the shower and the direction in which the telescope sees that
stretch. That is all that a stereoscopic reconstruction of the direction needs;
amount of light, widths and times are plausible numbers, not physics.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dpps_simpipe.toy.observation import ToyObservation
from dpps_simpipe.toy.streams import N_SAMPLES, TelescopeEvent

if TYPE_CHECKING:
    from astropy.coordinates import SkyCoord
    from ctapipe.instrument import SubarrayDescription

__all__ = ["ShowerImager", "ToyShower", "draw_showers"]

_EMISSION_HEIGHT_M = 7000.0
_MAX_OFFSET_DEG = 0.7
_MAX_CORE_DISTANCE_M = 120.0
_ENERGY_RANGE_TEV = (0.3, 3.0)

#: Photoelectrons of a 1 TeV shower at no distance, and the distance in which
#: they fall by a factor e.
_PHOTOELECTRONS_PER_TEV = 6000.0
_LIGHT_POOL_M = 120.0
_MIN_PHOTOELECTRONS = 150.0
_MAX_IMAGE_OFFSET_DEG = 1.8

_WIDTH_DEG = 0.07
_MIN_LENGTH_DEG = 0.12
#: Spread of the emission along the shower: length per distance of the image
#: from the direction of the shower.
_LENGTH_PER_DISPLACEMENT = 0.25
_NOISE_PHOTOELECTRONS = 0.25
_PULSE_NANOSECONDS = 15.0
_NANOSECONDS_PER_DEG = 5.0

#: Distance in time of two events.
_SPACING_NANOSECONDS = 20_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ToyShower:
    """The truth of one toy shower."""

    event_id: int
    #: Time after the start of the observation.
    after_start_nanoseconds: int
    altitude_deg: float
    #: From north towards east.
    azimuth_deg: float
    #: Core in the ground frame of the array: x north, y west.
    core_x_m: float
    core_y_m: float
    #: A label that scales the light; not an energy that anything conserved.
    energy_tev: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ellipse:
    """An image in the telescope frame (degrees)."""

    longitude_deg: float
    latitude_deg: float
    orientation_rad: float
    length_deg: float
    photoelectrons: float


def _point_in_disk(generator: np.random.Generator, radius: float) -> tuple[float, float]:
    """Draw a point uniformly in a disk around the origin."""
    distance = radius * np.sqrt(generator.uniform())
    angle = generator.uniform(0.0, 2.0 * np.pi)
    return float(distance * np.cos(angle)), float(distance * np.sin(angle))


def _pointing(observation: ToyObservation) -> "SkyCoord":
    """Give the direction of all telescopes in the horizontal frame."""
    from astropy.coordinates import AltAz, SkyCoord

    return SkyCoord(
        alt=observation.pointing_altitude_deg,
        az=observation.pointing_azimuth_deg,
        unit="deg",
        frame=AltAz(),
    )


def draw_showers(observation: ToyObservation, n_events: int) -> list[ToyShower]:
    """Draw showers around the pointing and around the centre of the array.

    Parameters
    ----------
    observation : ToyObservation
        Pointing and seed; the same seed gives the same showers.
    n_events : int
        Number of showers.

    Returns
    -------
    list of ToyShower
        Ordered in time, `event_id` from 1.
    """
    from astropy.coordinates import SkyCoord
    from ctapipe.coordinates import TelescopeFrame

    generator = np.random.default_rng(observation.seed)
    frame = TelescopeFrame(telescope_pointing=_pointing(observation))
    showers = []
    for index in range(n_events):
        longitude, latitude = _point_in_disk(generator, _MAX_OFFSET_DEG)
        sky = SkyCoord(fov_lon=longitude, fov_lat=latitude, unit="deg", frame=frame)
        direction = sky.transform_to(_pointing(observation).frame)
        core_x, core_y = _point_in_disk(generator, _MAX_CORE_DISTANCE_M)
        low, high = np.log(_ENERGY_RANGE_TEV)
        showers.append(
            ToyShower(
                event_id=index + 1,
                after_start_nanoseconds=(index + 1) * _SPACING_NANOSECONDS,
                altitude_deg=float(direction.alt.deg),
                azimuth_deg=float(direction.az.deg),
                core_x_m=core_x,
                core_y_m=core_y,
                energy_tev=float(np.exp(generator.uniform(low, high))),
            )
        )
    return showers


def _unit_vector(altitude_deg: float, azimuth_deg: float) -> NDArray[np.float64]:
    """Give the direction in the ground frame: x north, y west, z up."""
    altitude, azimuth = np.radians([altitude_deg, azimuth_deg])
    horizontal = np.cos(altitude)
    return np.array([horizontal * np.cos(azimuth), -horizontal * np.sin(azimuth), np.sin(altitude)])


def load_subarray(subarray_id: int) -> "SubarrayDescription":
    """Give the telescopes of a subarray of the instrument model.

    Parameters
    ----------
    subarray_id : int
        Identifier of the observatory; 2: the four LSTs of CTAO-North.

    Returns
    -------
    ctapipe.instrument.SubarrayDescription
    """
    from dpps_simpipe.instrument import array_names, load_array, subarray_description

    arrays = (load_array(name) for name in array_names())
    return subarray_description(next(one for one in arrays if one.subarray_id == subarray_id))


class ShowerImager:
    """Puts toy showers in the cameras of an observation."""

    def __init__(self, observation: ToyObservation) -> None:
        """Load the cameras and prepare their geometry in the telescope frame.

        Parameters
        ----------
        observation : ToyObservation
            Pointing, telescopes and seed.
        """
        from ctapipe.coordinates import TelescopeFrame
        from ctapipe.image.toymodel import WaveformModel

        self._observation = observation
        self._subarray = load_subarray(observation.subarray_id)
        self._frame = TelescopeFrame(telescope_pointing=_pointing(observation))
        camera = next(iter(self._subarray.tel.values())).camera
        self._geometry = camera.geometry.transform_to(TelescopeFrame())
        self._pulse = WaveformModel.from_camera_readout(camera.readout, "HIGH")

    def telescope_events(self, showers: Sequence[ToyShower]) -> dict[int, list[TelescopeEvent]]:
        """Give what each telescope that sees a shower reads out.

        Parameters
        ----------
        showers : sequence of ToyShower
            The showers, ordered by `event_id`.

        Returns
        -------
        dict of int to list of TelescopeEvent
            Only telescopes with at least one event.
        """
        events: dict[int, list[TelescopeEvent]] = {}
        for shower in showers:
            for tel_id in sorted(self._subarray.tel):
                ellipse = self._ellipse(shower, tel_id)
                if ellipse is None:
                    continue
                event = TelescopeEvent(
                    event_id=shower.event_id,
                    after_start_nanoseconds=shower.after_start_nanoseconds,
                    waveform=self._waveform(ellipse, shower.event_id, tel_id),
                )
                events.setdefault(tel_id, []).append(event)
        return events

    def _in_camera(self, vector: NDArray[np.float64]) -> tuple[float, float]:
        """Give a ground-frame direction in the telescope frame (degrees)."""
        from astropy.coordinates import AltAz, SkyCoord

        x, y, z = vector / np.linalg.norm(vector)
        direction = SkyCoord(alt=np.arcsin(z), az=np.arctan2(-y, x), unit="rad", frame=AltAz())
        coordinate = direction.transform_to(self._frame)
        return float(coordinate.fov_lon.deg), float(coordinate.fov_lat.deg)

    def _ellipse(self, shower: ToyShower, tel_id: int) -> _Ellipse | None:
        """Give the image of a shower, or None where it is too faint or too far out."""
        axis = _unit_vector(shower.altitude_deg, shower.azimuth_deg)
        core = np.array([shower.core_x_m, shower.core_y_m, 0.0])
        telescope = self._subarray.positions[tel_id].to_value("m")
        emission = core + axis * _EMISSION_HEIGHT_M / axis[2]
        source = self._in_camera(axis)
        centroid = self._in_camera(emission - telescope)
        step_longitude, step_latitude = centroid[0] - source[0], centroid[1] - source[1]
        across = np.cross(telescope - core, axis)
        light = np.exp(-float(np.linalg.norm(across)) / _LIGHT_POOL_M)
        photoelectrons = _PHOTOELECTRONS_PER_TEV * shower.energy_tev * light
        displacement = float(np.hypot(step_longitude, step_latitude))
        if photoelectrons < _MIN_PHOTOELECTRONS or np.hypot(*centroid) > _MAX_IMAGE_OFFSET_DEG:
            return None
        return _Ellipse(
            longitude_deg=centroid[0],
            latitude_deg=centroid[1],
            orientation_rad=float(np.arctan2(step_latitude, step_longitude)),
            length_deg=max(_MIN_LENGTH_DEG, _LENGTH_PER_DISPLACEMENT * displacement),
            photoelectrons=photoelectrons,
        )

    def _waveform(self, ellipse: _Ellipse, event_id: int, tel_id: int) -> NDArray[np.float64]:
        """Draw the photoelectrons of an image and their pulses, plus noise."""
        import astropy.units as u
        from ctapipe.image.toymodel import Gaussian, obtain_time_image

        # A generator of its own for each image: no image depends on another.
        generator = np.random.default_rng([self._observation.seed, event_id, tel_id])
        x, y = ellipse.longitude_deg * u.deg, ellipse.latitude_deg * u.deg
        psi = ellipse.orientation_rad * u.rad
        model = Gaussian(x=x, y=y, length=ellipse.length_deg * u.deg, width=_WIDTH_DEG * u.deg, psi=psi)
        _, signal, _ = model.generate_image(
            self._geometry, intensity=ellipse.photoelectrons, nsb_level_pe=0, rng=generator
        )
        times = obtain_time_image(
            self._geometry.pix_x,
            self._geometry.pix_y,
            x,
            y,
            psi,
            _NANOSECONDS_PER_DEG * u.ns / u.deg,
            _PULSE_NANOSECONDS * u.ns,
        )
        shape = (signal.size, N_SAMPLES)
        waveform: NDArray[np.float64] = generator.normal(0.0, _NOISE_PHOTOELECTRONS, shape)
        # Most pixels are dark, and the pulses are what takes time.
        lit = signal > 0
        charges = signal[lit].astype(np.float64)
        waveform[lit] += self._pulse.get_waveform(charges, times[lit], N_SAMPLES)[0]
        return waveform
