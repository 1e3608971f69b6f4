"""Observation descriptions read from YAML."""

from pathlib import Path

import astropy.units as u

from dpps.domain.errors import DamagedFile, NotFound
from dpps_simpipe.atmosphere import BUILT_IN
from dpps_simpipe.documents import UnreadableDocument, read_yaml
from dpps_simpipe.instrument import named_model
from dpps_simpipe.observation.description import (
    Background,
    Block,
    Direction,
    Night,
    Population,
    Target,
)
from dpps_simpipe.observation.sections import Section
from dpps_simpipe.observation.sky import offset_by
from dpps_simpipe.observation.spectra import LITERATURE, LogParabola, PowerLaw, Spectrum
from dpps_simpipe.simulation.description import ENERGY_LIMITS

__all__ = ["FORMAT", "KEYWORD", "load_document", "load_night"]

#: First key of an observation description, and version of the format.
KEYWORD, FORMAT = "dpps_observation", 1

_POINT_FLUX = u.Unit("cm-2 s-1 TeV-1")
_DIFFUSE_FLUX = u.Unit("cm-2 s-1 TeV-1 sr-1")
#: What no spectrum exceeds: within these limits and those of energies all fluxes are finite numbers.
_GREATEST_FLUX, _GREATEST_INDEX, _GREATEST_CURVATURE = 1e6, 10.0, 2.0


def load_night(path: Path, model: str = "") -> Night:
    """Read an observation description.

    Parameters
    ----------
    path : Path
        YAML: ``dpps_observation: 1`` (version of the format) and what `Night` holds, quantities as texts
        with units.
    model : str
        Instrument model: version of the package, or a folder; empty: the newest of the package.

    Returns
    -------
    Night
        What to observe.

    Raises
    ------
    NotFound
        There is no such file.
    DamagedFile
        The file is not YAML.
    InvalidInput
        A key is unknown, missing, without unit or has a value that cannot be observed; names the key.
    """
    document = load_document(path, KEYWORD, FORMAT)
    target = document.section("target")
    looked_at = Target(name=target.text("name"), direction=target.direction())
    target.end()
    night = Night(
        name=document.text("name", path.stem),
        seed=document.integer("seed"),
        array=document.text("array"),
        atmosphere=_atmosphere(document.text("atmosphere", ""), path),
        sb_id=document.integer("sb_id"),
        target=looked_at,
        source=_source(document.section("source"), looked_at) if document.has("source") else None,
        background=_background(document.section("background")) if document.has("background") else None,
        dead_time_s=document.quantity("dead_time", u.s),
        chunk_events=document.integer("chunk_events", 100_000),
        blocks=tuple(_block(section, looked_at) for section in document.sections("blocks")),
        model=named_model(model),
    )
    document.end()
    return night


def load_document(path: Path, keyword: str, version: int, kind: str = "observation") -> Section:
    """Read a YAML document of a kind.

    Parameters
    ----------
    path : Path
        File.
    keyword : str
        Key that says what the document is.
    version : int
        Its value.
    kind : str
        What is described, for messages.

    Returns
    -------
    Section
        The document without that key.

    Raises
    ------
    NotFound
        There is no such file.
    DamagedFile
        The file is not YAML.
    InvalidInput
        It is another document.
    """
    if not path.is_file():
        raise NotFound(
            f"{kind} description {path} does not exist",
            code="simpipe.description-missing",
            next_step="Give the path of a YAML file.",
            path=path,
        )
    try:
        document = read_yaml(path)
    except UnreadableDocument as error:
        raise DamagedFile(
            f"{kind} description {path} cannot be read: {error}",
            code="simpipe.description-unreadable",
            next_step="Write it as YAML.",
            path=path,
        ) from error
    section = Section(document, document=kind)
    if section.take(keyword, 0) != version:
        raise section.refused(
            keyword, f"must be {version}: {path} is no description of this kind and version"
        )
    return section


def _atmosphere(name: str, description: Path) -> str:
    """Give a built-in name, or the path of a table beside the description."""
    return name if not name or name in BUILT_IN else str(description.parent / name)


def _index(section: Section, key: str, most: float = _GREATEST_INDEX) -> float:
    value = section.number(key)
    if abs(value) > most:
        raise section.refused(key, f"must be between {-most:g} and {most:g}")
    return value


def _spectrum(section: Section, unit: u.UnitBase) -> Spectrum:
    kind = section.text("type")
    amplitude = section.quantity("amplitude", unit)
    reference = section.quantity("reference", u.TeV)
    if not 0.0 < amplitude <= _GREATEST_FLUX:
        raise section.refused("amplitude", f"must be above 0 and at most {_GREATEST_FLUX:g} {unit}")
    least, most = ENERGY_LIMITS
    if not least <= reference <= most:
        raise section.refused("reference", f"must be between {least * 1e3:g} GeV and {most:g} TeV")
    spectrum: Spectrum
    if kind == "power-law":
        spectrum = PowerLaw(amplitude=amplitude, reference_tev=reference, index=_index(section, "index"))
    elif kind == "log-parabola":
        alpha, beta = _index(section, "alpha"), _index(section, "beta", _GREATEST_CURVATURE)
        spectrum = LogParabola(amplitude=amplitude, reference_tev=reference, alpha=alpha, beta=beta)
    else:
        raise section.refused("type", f"is {kind!r}: take power-law or log-parabola")
    section.end()
    return spectrum


def _population(
    section: Section,
    *,
    key: str,
    primary: str,
    spectrum: Spectrum,
    citation: str,
    direction: Direction | None,
) -> Population:
    population = Population(
        key=key,
        primary=primary,
        spectrum=spectrum,
        citation=citation,
        energy_min_tev=section.quantity("energy_min", u.TeV),
        energy_max_tev=section.quantity("energy_max", u.TeV),
        core_radius_m=section.quantity("core_radius", u.m),
        direction=direction,
    )
    section.end()
    return population


def _source(section: Section, target: Target) -> Population:
    direction = section.direction() if section.has("ra") or section.has("dec") else target.direction
    spectrum = _spectrum(section.section("spectrum"), _POINT_FLUX)
    return _population(
        section, key="source", primary="gamma", spectrum=spectrum, citation="", direction=direction
    )


def _background(section: Section) -> Background:
    primaries = section.section("primaries")
    populations = []
    for name in primaries.names():
        if name not in LITERATURE:
            raise primaries.refused(name, f"is unknown: take {', '.join(LITERATURE)}")
        one = primaries.section(name)
        spectrum, citation = LITERATURE[name].spectrum, LITERATURE[name].citation
        if one.has("spectrum"):
            spectrum, citation = _spectrum(one.section("spectrum"), _DIFFUSE_FLUX), ""
        populations.append(
            _population(
                one,
                key=f"background.primaries.{name}",
                primary=name,
                spectrum=spectrum,
                citation=citation,
                direction=None,
            )
        )
    background = Background(
        fraction=section.number("fraction"),
        view_cone_deg=section.quantity("view_cone", u.deg),
        populations=tuple(populations),
    )
    section.end()
    return background


def _block(section: Section, target: Target) -> Block:
    if section.has("pointing") == section.has("wobble"):
        raise section.refused("pointing", "or wobble: give one of the two")
    if section.has("pointing"):
        where = section.section("pointing")
        pointing = where.direction()
    else:
        where = section.section("wobble")
        offset, angle = where.quantity("offset", u.deg), where.quantity("angle", u.deg)
        if not 0.0 <= offset <= 10.0:
            raise where.refused("offset", "must be between 0 and 10 deg")
        pointing = offset_by(target.direction, angle_deg=angle, offset_deg=offset)
    where.end()
    block = Block(
        obs_id=section.integer("obs_id"),
        start=section.time("start"),
        duration_s=section.quantity("duration", u.s),
        pointing=pointing,
    )
    section.end()
    return block
