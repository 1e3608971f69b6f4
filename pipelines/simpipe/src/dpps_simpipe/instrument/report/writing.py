"""Write the pages of a model."""

import tempfile
from pathlib import Path

import astropy.units as u

from dpps.domain.errors import Conflict
from dpps_simpipe.atmosphere import load_atmosphere
from dpps_simpipe.instrument.derive import USED_PARAMETERS, make_array
from dpps_simpipe.instrument.library import camera_description
from dpps_simpipe.instrument.model import Array, TelescopeType
from dpps_simpipe.instrument.report import figures
from dpps_simpipe.instrument.report.pages import Page, Section
from dpps_simpipe.instrument.store import InstrumentModel

__all__ = ["write_report"]


def _versions(model: InstrumentModel) -> Section:
    until = "a later version says otherwise" if model.valid_until is None else str(model.valid_until)
    rows = [
        ("version", model.version),
        ("SHA-256", model.sha256),
        ("released (UTC)", str(model.released)),
        ("valid for data (UTC)", f"{model.valid_from} until {until}"),
        ("parameters", str(len(model.parameters))),
        ("arrays", ", ".join(model.arrays)),
    ]
    return Section(title="Version", columns=("", "value"), rows=rows)


def _layout(array: Array, folder: Path) -> Section:
    name = f"layout-{array.name}.png"
    figures.draw_layout(array, folder / name)
    stereo = ", an LST another LST" if array.lst_stereo else ""
    north, west, up = (value * 1e6 for value in array.field)
    return Section(
        title=f"Array {array.name}",
        text=(
            f"Site {array.site}, {array.latitude_deg:.6f}° N, {array.longitude_deg:.6f}° E, positions from "
            f"{array.observation_level_m:g} m above sea level. Magnetic field {north:.2f} µT North, "
            f"{west:.2f} µT West, {up:.2f} µT up. An event needs {array.least_telescopes} "
            f"telescope(s) within {array.coincidence_ns:g} ns{stereo}. "
            f"Source: {array.source}."
        ),
        columns=("number", "telescope", "type", "North / m", "West / m", "up / m"),
        rows=[
            (str(one.tel_id), one.name, one.kind.name, *(f"{value:.2f}" for value in one.position_m))
            for one in array.telescopes
        ],
        figures=[(name, f"Telescopes of {array.name} on the ground")],
    )


def _parameters(model: InstrumentModel, instrument: str, used: tuple[str, ...]) -> list[tuple[str, ...]]:
    return [
        (
            name,
            one.shown,
            one.definition.description,
            model.source(instrument, name),
            "yes" if name in used else "no",
        )
        for (owner, name), one in model.parameters.items()
        if owner == instrument
    ]


_COLUMNS = ("parameter", "value", "meaning", "source", "used by the simulator")


def _design(model: InstrumentModel, design: str, array: Array, kind: TelescopeType, folder: Path) -> Section:
    drawn = []
    for part, caption in (
        ("camera", f"Pixels of {kind.camera}"),
        ("efficiency", f"Detection efficiency of {kind.name}"),
        ("pulses", f"Pulse shapes of {kind.camera}"),
    ):
        drawn.append((f"{part}-{design}.png", caption))
    figures.draw_camera(kind, folder / drawn[0][0])
    figures.draw_efficiency(kind, array.efficiencies[kind.camera], folder / drawn[1][0])
    figures.draw_pulses(kind, folder / drawn[2][0])
    camera = camera_description(kind)
    radius = camera.geometry.guess_radius().to_value(u.m) / kind.effective_focal_length_m
    width = 2 * u.rad.to(u.deg, radius)
    return Section(
        title=f"Design {design} ({kind.name})",
        text=(
            f"{camera.geometry.n_pixels} pixels over a field of view of {width:.1f}° in diameter, "
            f"{camera.readout.n_channels} gain channel(s), {camera.readout.n_samples} samples at "
            f"{camera.readout.sampling_rate.to_value(u.GHz):g} GHz."
        ),
        columns=_COLUMNS,
        rows=_parameters(model, design, USED_PARAMETERS["design"]),
        figures=drawn,
    )


def _site(model: InstrumentModel, array: Array, folder: Path) -> Section:
    site = model.arrays[array.name].site
    name = f"atmosphere-{site}.png"
    figures.draw_atmosphere(array, folder / name)
    profile = load_atmosphere(array.atmosphere)
    return Section(
        title=f"Site OBS-{site}",
        text=f"The atmosphere is given from {profile.altitude[0]:g} m to {profile.altitude[-1]:g} m.",
        columns=_COLUMNS,
        rows=_parameters(model, f"OBS-{site}", USED_PARAMETERS["site"]),
        figures=[(name, f"Atmosphere of {array.site}")],
    )


def _sections(model: InstrumentModel, folder: Path) -> list[Section]:
    """Describe version, arrays, sites and designs: each site and design with the first array that has it."""
    arrays = [make_array(model, name) for name in model.arrays]
    sites: dict[str, Array] = {}
    designs: dict[str, tuple[Array, TelescopeType]] = {}
    for array in arrays:
        sites.setdefault(array.site, array)
        for one in array.telescopes:
            designs.setdefault(str(model.find(one.name, "design_model").value), (array, one.kind))
    return [
        _versions(model),
        *(_layout(array, folder) for array in arrays),
        *(_site(model, array, folder) for array in sites.values()),
        *(_design(model, design, array, kind, folder) for design, (array, kind) in designs.items()),
        Section(
            title="Sources",
            columns=("key", "source"),
            rows=list(model.sources.items()),
        ),
    ]


def write_report(model: InstrumentModel, folder: Path) -> list[Path]:
    """Write ``index.md`` (for Sphinx with MyST), ``index.html`` and their figures.

    The same model gives the same text; figures are the same with the same matplotlib.

    Parameters
    ----------
    model : InstrumentModel
        What is described.
    folder : Path
        Must not exist; it appears complete or not at all.

    Returns
    -------
    list of Path
        The two pages.

    Raises
    ------
    Conflict
        The folder is there.
    """
    if folder.exists():
        raise Conflict(
            f"{folder} is there", code="simpipe.output-exists", next_step="Give another folder.", path=folder
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".report-", dir=folder.parent) as place:
        made = Path(place) / "report"
        made.mkdir()
        page = Page(
            title=f"Instrument and site model {model.version}",
            text=f"{model.description} Made by dpps-simpipe model report from the model alone.",
            sections=_sections(model, made),
        )
        (made / "index.md").write_text(page.markdown(), encoding="utf-8")
        (made / "index.html").write_text(page.html(), encoding="utf-8")
        made.rename(folder)
    return [folder / "index.md", folder / "index.html"]
