"""Plots of a model: layouts, cameras, efficiencies, pulses, atmospheres."""

from pathlib import Path

import astropy.units as u
import numpy as np
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from dpps_simpipe.atmosphere import load_atmosphere
from dpps_simpipe.instrument.library import camera_description
from dpps_simpipe.instrument.model import Array, Efficiency, TelescopeType

__all__ = [
    "draw_atmosphere",
    "draw_camera",
    "draw_efficiency",
    "draw_layout",
    "draw_pulses",
]

#: Plots of the atmosphere end here, above all showers.
_HIGHEST_M = 50e3
_MARKERS = {"LST": ("o", 90), "MST": ("s", 45), "SST": ("^", 20)}


def _save(figure: Figure, path: Path) -> None:
    # Without the name of the program the same figure is the same file.
    figure.savefig(path, dpi=100, metadata={"Software": None})


def draw_layout(array: Array, path: Path) -> None:
    """Draw the telescopes of an array on the ground.

    Parameters
    ----------
    array : Array
        The array.
    path : Path
        PNG file.
    """
    figure = Figure(figsize=(6.5, 6), layout="constrained")
    axes = figure.add_subplot()
    for kind in array.kinds:
        places = np.array([one.position_m for one in array.telescopes if one.kind == kind])
        marker, size = _MARKERS[kind.size_type]
        axes.scatter(-places[:, 1], places[:, 0], marker=marker, s=size, label=kind.name)
    few = len(array.telescopes) <= 20
    for one in array.telescopes if few else ():
        axes.annotate(
            one.name, (-one.position_m[1], one.position_m[0]), (4, 5), textcoords="offset points", size=7
        )
    axes.set(xlabel="East of the reference point / m", ylabel="North / m", title=array.name, aspect="equal")
    axes.legend()
    axes.grid(alpha=0.3)
    _save(figure, path)


def draw_camera(kind: TelescopeType, path: Path) -> None:
    """Draw the pixels of a camera.

    Parameters
    ----------
    kind : TelescopeType
        Telescope type.
    path : Path
        PNG file.
    """
    geometry = camera_description(kind).geometry
    x, y = geometry.pix_x.to_value(u.m), geometry.pix_y.to_value(u.m)
    corners, offset = (4, np.pi / 4) if geometry.pix_type.value == "square" else (6, 0.0)
    angles = offset + geometry.pix_rotation.to_value(u.rad) + 2 * np.pi * np.arange(corners) / corners
    radius = np.sqrt(geometry.pix_area.to_value(u.m**2) / (corners / 2 * np.sin(2 * np.pi / corners)))
    outlines = np.stack(
        [x[:, None] + radius[:, None] * np.cos(angles), y[:, None] + radius[:, None] * np.sin(angles)],
        axis=-1,
    )
    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.add_subplot()
    axes.add_collection(PolyCollection(list(outlines), facecolor="0.9", edgecolor="0.3", linewidth=0.2))
    axes.set(
        xlabel="x / m", ylabel="y / m", title=f"{kind.camera}: {geometry.n_pixels} pixels", aspect="equal"
    )
    axes.autoscale_view()
    _save(figure, path)


def draw_efficiency(kind: TelescopeType, efficiency: Efficiency, path: Path) -> None:
    """Draw the detection efficiency of a telescope type against wavelength.

    Parameters
    ----------
    kind : TelescopeType
        Telescope type.
    efficiency : Efficiency
        Of its camera.
    path : Path
        PNG file.
    """
    figure = Figure(figsize=(6.5, 4), layout="constrained")
    axes = figure.add_subplot()
    wavelength = efficiency.wavelength
    constant = kind.structure_transmission * kind.light_guide_efficiency
    axes.plot(wavelength, efficiency.quantum_efficiency, label="quantum efficiency")
    axes.plot(wavelength, efficiency.optics, label="mirror and window")
    axes.plot(
        wavelength,
        efficiency.at(wavelength) * constant,
        "k",
        label="detected, with structure and light guides",
    )
    axes.set(xlabel="wavelength / nm", ylabel="efficiency", title=kind.name, ylim=(0, 1))
    axes.legend()
    axes.grid(alpha=0.3)
    _save(figure, path)


def draw_pulses(kind: TelescopeType, path: Path) -> None:
    """Draw the pulse of one photoelectron, by gain channel.

    Parameters
    ----------
    kind : TelescopeType
        Telescope type.
    path : Path
        PNG file.
    """
    readout = camera_description(kind).readout
    figure = Figure(figsize=(6.5, 3.5), layout="constrained")
    axes = figure.add_subplot()
    step = readout.reference_pulse_sample_width.to_value(u.ns)
    names = ("high gain", "low gain") if len(readout.reference_pulse_shape) > 1 else ("one gain",)
    for name, style, pulse in zip(names, ("-", "--"), readout.reference_pulse_shape, strict=False):
        axes.plot(step * np.arange(len(pulse)), pulse / pulse.max(), style, label=name)
    axes.set(
        xlabel="time / ns", ylabel="amplitude over peak", title=f"{kind.camera}: pulse of one photoelectron"
    )
    axes.legend()
    axes.grid(alpha=0.3)
    _save(figure, path)


def draw_atmosphere(array: Array, path: Path) -> None:
    """Draw density and refractivity of a site's atmosphere against altitude.

    Parameters
    ----------
    array : Array
        An array at the site.
    path : Path
        PNG file.
    """
    profile = load_atmosphere(array.atmosphere)
    figure = Figure(figsize=(8, 4), layout="constrained")
    shown = profile.altitude <= _HIGHEST_M
    altitude = profile.altitude[shown] / 1e3
    for number, (values, text) in enumerate(
        ((profile.density, "density / (g/cm³)"), (profile.refractivity, "refractive index - 1")), start=1
    ):
        axes = figure.add_subplot(1, 2, number)
        axes.semilogx(values[shown], altitude)
        axes.axhline(array.observation_level_m / 1e3, color="0.6", linestyle=":")
        axes.set(xlabel=text, ylabel="altitude above sea level / km")
        axes.grid(alpha=0.3)
    figure.suptitle(f"{array.site}: {Path(array.atmosphere).name}")
    _save(figure, path)
