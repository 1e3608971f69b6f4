"""Telescope types and arrays as values."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from dpps_simpipe.compiled import FloatArray

__all__ = ["Array", "Efficiency", "Telescope", "TelescopeType"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Efficiency:
    """Detection efficiency against wavelength.

    Parameters
    ----------
    wavelength : array
        Wavelengths in nm. Shape (n,).
    quantum_efficiency : array
        Of the photosensor. Shape (n,).
    optics : array
        Mirror reflectivity times window transmission. Shape (n,).
    """

    wavelength: FloatArray
    quantum_efficiency: FloatArray
    optics: FloatArray

    def at(self, wavelength: FloatArray) -> FloatArray:
        """Give the product at wavelengths in nm; 0 outside the table.

        Parameters
        ----------
        wavelength : array
            Wavelengths in nm.

        Returns
        -------
        array
            Efficiency.
        """
        product = self.quantum_efficiency * self.optics
        return np.asarray(np.interp(wavelength, self.wavelength, product, left=0.0, right=0.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class TelescopeType:
    """A kind of telescope: optics, camera, electronics, trigger.

    Parameters
    ----------
    name : str
        Name in array files.
    size_type : str
        LST, MST or SST.
    optics_name : str
        Name of the structure.
    reflector_shape : str
        ctapipe's word: PARABOLIC, HYBRID (modified Davies-Cotton), SCHWARZSCHILD_COUDER.
    n_mirrors, n_mirror_tiles : int
        Number of mirrors light meets, and of facets.
    mirror_area_m2 : float
        Reflecting area.
    focal_length_m, effective_focal_length_m : float
        Nominal focal length; plate scale including coma.
    dish_radius_m : float
        Radius of curvature of the dish; 0: a parabola.
    focus_offset_m : float
        How far the camera stands behind the focus of infinity.
    spot_sigma_deg : float
        Gaussian width of the on-axis spot, each axis, without aberration of the ideal surface.
    sphere_radius_m : float
        Radius of the sphere around the telescope in CORSIKA (for comparison of photon numbers).
    camera : str
        Name of the camera.
    geometry_file, readout_file : Path
        Pixels, and sampling with pulse shapes, as ctapipe writes them.
    structure_transmission : float
        Light that camera and masts do not shadow.
    light_guide_efficiency : float
        Mean efficiency of the light guides.
    light_yield_scale : float
        Correction that calibration against real simulation found.
    night_sky_rate_per_ns : float
        Night-sky photoelectrons per pixel and ns.
    single_photoelectron_sigma : float
        Relative width of the charge of one photoelectron.
    amplitude_counts : tuple of float
        Peak of the pulse of one photoelectron in counts, by gain channel, high gain first.
    noise_counts : tuple of float
        Electronic noise in counts per sample, by gain channel.
    range_counts : float
        Counts above the pedestal at which the digitiser saturates.
    trigger : str
        ``sum``: the summed signal of a group of pixels; ``majority``: a pixel and two neighbours.
    trigger_module : int
        Pixels of a module: three touching modules are a group of a sum trigger; 0: a pixel and neighbours.
    trigger_threshold_pe : float
        Threshold in peaks of one photoelectron.
    readout_before_trigger_ns : float
        Time between the start of the read-out window and the trigger.
    estimated : tuple of str
        Parameters that no file gave.
    """

    name: str
    size_type: Literal["LST", "MST", "SST"]
    optics_name: str
    reflector_shape: str
    n_mirrors: int
    n_mirror_tiles: int
    mirror_area_m2: float
    focal_length_m: float
    effective_focal_length_m: float
    dish_radius_m: float
    focus_offset_m: float
    spot_sigma_deg: float
    sphere_radius_m: float
    camera: str
    geometry_file: Path
    readout_file: Path
    structure_transmission: float
    light_guide_efficiency: float
    light_yield_scale: float
    night_sky_rate_per_ns: float
    single_photoelectron_sigma: float
    amplitude_counts: tuple[float, ...]
    noise_counts: tuple[float, ...]
    range_counts: float
    trigger: Literal["sum", "majority"]
    trigger_module: int
    trigger_threshold_pe: float
    readout_before_trigger_ns: float
    estimated: tuple[str, ...]

    @property
    def dish_edge_m(self) -> float:
        """Radius in m of the disc with the reflecting area."""
        return math.sqrt(self.mirror_area_m2 / math.pi)


@dataclass(frozen=True, slots=True, kw_only=True)
class Telescope:
    """One telescope of an array.

    Parameters
    ----------
    tel_id : int
        Number in events: the observatory's number of the array element.
    name : str
        Name at the observatory.
    kind : TelescopeType
        Its type.
    position_m : tuple of float
        Place: North, West, up from the observation level.
    """

    tel_id: int
    name: str
    kind: TelescopeType
    position_m: tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Array:
    """An array of telescopes at a site.

    Parameters
    ----------
    name : str
        Name in run descriptions.
    version : str
        Version of the instrument model.
    released : str
        Day of that version (UTC, ISO 8601).
    model_sha256 : str
        Of all files of that version.
    subarray_id : int
        Number of the subarray in raw data: that of the observatory, or above 900 where none is published.
    source : str
        Where the layout is from.
    site : str
        Observatory site.
    latitude_deg, longitude_deg : float
        Place on Earth.
    observation_level_m : float
        Altitude of z = 0.
    atmosphere : str
        Built-in atmosphere of the site.
    field_total_uT, field_declination_rad, field_inclination_rad : float
        Geomagnetic field; positive inclination points down.
    lst_stereo : bool
        Whether an LST takes part only with another LST.
    least_telescopes : int
        Telescopes that an array trigger needs.
    coincidence_ns : float
        Largest difference of their trigger times, light-path differences taken out.
    telescopes : tuple of Telescope
        The telescopes.
    efficiencies : mapping of str to Efficiency
        By camera.
    """

    name: str
    version: str
    released: str
    model_sha256: str
    subarray_id: int
    source: str
    site: str
    latitude_deg: float
    longitude_deg: float
    observation_level_m: float
    atmosphere: str
    field_total_uT: float  # noqa: N815 (microtesla)
    field_declination_rad: float
    field_inclination_rad: float
    lst_stereo: bool
    least_telescopes: int
    coincidence_ns: float
    telescopes: tuple[Telescope, ...]
    efficiencies: Mapping[str, Efficiency]

    @property
    def kinds(self) -> tuple[TelescopeType, ...]:
        """Types of telescopes, each once, in order of appearance."""
        return tuple({telescope.kind.name: telescope.kind for telescope in self.telescopes}.values())

    @property
    def positions(self) -> FloatArray:
        """Positions in m. Shape (n_telescopes, 3)."""
        return np.array([telescope.position_m for telescope in self.telescopes])

    @property
    def field(self) -> tuple[float, float, float]:
        """Magnetic field in T: North, West, up."""
        total = self.field_total_uT * 1e-6
        horizontal = total * math.cos(self.field_inclination_rad)
        return (
            horizontal * math.cos(self.field_declination_rad),
            -horizontal * math.sin(self.field_declination_rad),
            -total * math.sin(self.field_inclination_rad),
        )
