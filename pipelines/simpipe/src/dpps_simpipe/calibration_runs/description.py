"""What a calibration run is, from a YAML file."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import astropy.units as u

from dpps_simpipe.instrument import Array, load_array, named_model
from dpps_simpipe.observation.description import Direction, refused
from dpps_simpipe.observation.reading import load_document
from dpps_simpipe.observation.sections import Section
from dpps_simpipe.simulation.description import ENERGY_LIMITS

__all__ = ["KINDS", "CalibrationRun", "FlatField", "Muons", "Pixels", "Star", "Stars", "load_calibration_run"]

#: First key of a description, and version of the format.
KEYWORD, FORMAT = "dpps_calibration_run", 1
KINDS = ("pedestal", "flat-field", "muon", "stars")
_DOCUMENT = "calibration run"
_LONGEST_SECONDS = 12 * 3600.0
#: No pointing is so wrong.
_GREATEST_OFFSET_DEG = 5.0
_PER_NS = u.Unit("ns-1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pixels:
    """How pixels differ: Gaussian widths.

    Parameters
    ----------
    gain_spread : float
        Relative width of the charge of a photoelectron between pixels.
    efficiency_spread : float
        Relative width of the efficiency for all light.
    pedestal_spread : float
        Width of the pedestal in counts of each gain channel.
    time_spread_ns : float
        Width of the time offset.
    """

    gain_spread: float = 0.0
    efficiency_spread: float = 0.0
    pedestal_spread: float = 0.0
    time_spread_ns: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FlatField:
    """A uniform flash.

    Parameters
    ----------
    light_pe : float
        Mean photoelectrons in a pixel of efficiency 1.
    flash_spread : float
        Relative width of the light from flash to flash.
    width_ns : float
        Gaussian width of the flash in time.
    """

    light_pe: float
    flash_spread: float
    width_ns: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Muons:
    """Muons that pass the dish.

    Parameters
    ----------
    energy_min_tev, energy_max_tev, index : float
        Energies follow E^-index.
    impact_max_m : float
        Impact points are uniform within this radius around the telescope.
    view_cone_deg : float
        Directions are uniform within this cone around the pointing.
    throughput : float
        Part of the modelled optical efficiency that the telescope truly has.
    """

    energy_min_tev: float
    energy_max_tev: float
    index: float
    impact_max_m: float
    view_cone_deg: float
    throughput: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Star:
    """A star.

    Parameters
    ----------
    name : str
        Name.
    direction : Direction
        Place.
    rate_per_ns : float
        Photoelectrons per ns that it gives in the camera.
    """

    name: str
    direction: Direction
    rate_per_ns: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Stars:
    """A star field and how wrong the pointing is.

    Parameters
    ----------
    pointing : Direction
        Nominal pointing, followed.
    offset_altitude_deg, offset_azimuth_deg : float
        True pointing minus nominal pointing on the sphere (the second along the horizon).
    stars : tuple of Star
        Stars.
    """

    pointing: Direction
    offset_altitude_deg: float
    offset_azimuth_deg: float
    stars: tuple[Star, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationRun:
    """A calibration run of telescopes.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    seed : int
        Together with the block, the telescope and the number of an event it fixes that event; pixels are the
        same in all runs of a seed.
    array : str
        Array of the instrument model.
    tel_ids : tuple of int
        Its telescopes that take part.
    sb_id, obs_id : int
        Numbers.
    start : datetime
        Start in UTC (aware, whole seconds).
    events : int
        Triggers of a telescope; of a muon run: muons thrown at it.
    rate_hz : float
        Of the triggers (equally spaced), or the mean rate of muons.
    night_sky : float
        Night-sky light relative to the instrument model's.
    altitude_deg, azimuth_deg : float
        Pointing; of a star field not used.
    pixels : Pixels
        Differences of pixels.
    light : FlatField, Muons, Stars or None
        What belongs to the kind.
    model : str
        Instrument model: version of the package, or a folder; empty: the newest of the package.
    """

    kind: str
    seed: int
    array: str
    tel_ids: tuple[int, ...]
    sb_id: int
    obs_id: int
    start: datetime
    events: int
    rate_hz: float
    night_sky: float
    altitude_deg: float
    azimuth_deg: float
    pixels: Pixels
    light: FlatField | Muons | Stars | None
    model: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot be simulated.

        Raises
        ------
        InvalidInput
            A value is out of its range; names the key.
        """
        known = {one.tel_id for one in self.load_array().telescopes}
        for key, fine, reason in (
            ("kind", self.kind in KINDS, f"must be one of {', '.join(KINDS)}"),
            ("seed", 0 <= self.seed < 2**63, "must be between 0 and 2^63"),
            ("sb_id", 1 <= self.sb_id < 10**18, "must be between 1 and 10^18"),
            ("obs_id", 1 <= self.obs_id < 10**18, "must be between 1 and 10^18"),
            ("start", self.start.microsecond == 0, "must be a whole second"),
            ("events", 1 <= self.events <= 1_000_000, "must be between 1 and 1000000"),
            ("rate", 0.0 < self.rate_hz <= 1e5, "must be above 0 and at most 100 kHz"),
            (
                "rate",
                self.rate_hz * _LONGEST_SECONDS >= self.events,
                f"is too low: the run would take longer than {_LONGEST_SECONDS / 3600:g} h",
            ),
            ("night_sky", 0.0 <= self.night_sky <= 100.0, "must be between 0 and 100"),
            ("pointing.altitude", 30.0 <= self.altitude_deg <= 90.0, "must be between 30 and 90 deg"),
            ("telescopes", bool(self.tel_ids), "names no telescope"),
            ("telescopes", set(self.tel_ids) <= known, f"must be of {sorted(known)} for {self.array}"),
            ("telescopes", len(set(self.tel_ids)) == len(self.tel_ids), "names a telescope twice"),
        ):
            if not fine:
                raise refused(key, reason, _DOCUMENT)

    def load_array(self) -> Array:
        """Load the array of the instrument model.

        Returns
        -------
        Array
            Telescopes, site and efficiencies.
        """
        return load_array(self.array, self.model)

    @property
    def duration_s(self) -> float:
        """Expected length."""
        return self.events / self.rate_hz


def load_calibration_run(path: Path, model: str = "") -> CalibrationRun:
    """Read the description of a calibration run.

    Parameters
    ----------
    path : Path
        YAML: ``dpps_calibration_run: 1`` and what `CalibrationRun` holds, quantities as texts with units.
    model : str
        Instrument model: version of the package, or a folder; empty: the newest of the package.

    Returns
    -------
    CalibrationRun
        What to take.

    Raises
    ------
    NotFound
        There is no such file, or no such array.
    DamagedFile
        The file is not YAML.
    InvalidInput
        A key is unknown, missing, without unit or out of its range; names the key.
    """
    document = load_document(path, KEYWORD, FORMAT, _DOCUMENT)
    kind, array = document.text("kind"), document.text("array")
    altitude, azimuth = 70.0, 180.0
    if kind != "stars" and document.has("pointing"):
        where = document.section("pointing")
        altitude, azimuth = where.quantity("altitude", u.deg), where.quantity("azimuth", u.deg)
        where.end()
    run = CalibrationRun(
        kind=kind,
        seed=document.integer("seed"),
        array=array,
        tel_ids=_telescopes(document, array, model),
        sb_id=document.integer("sb_id"),
        obs_id=document.integer("obs_id"),
        start=document.time("start"),
        events=document.integer("events"),
        rate_hz=document.quantity("rate", u.Hz),
        night_sky=document.number("night_sky") if document.has("night_sky") else 1.0,
        altitude_deg=altitude,
        azimuth_deg=azimuth % 360.0,
        pixels=_pixels(document.section("pixels")) if document.has("pixels") else Pixels(),
        light=_light(kind, document),
        model=named_model(model),
    )
    document.end()
    return run


def _telescopes(document: Section, array: str, model: str) -> tuple[int, ...]:
    if not document.has("telescopes"):
        return tuple(one.tel_id for one in load_array(array, model).telescopes)
    values = document.take("telescopes")
    if not isinstance(values, list) or not all(type(one) is int for one in values):
        raise document.refused("telescopes", f"is {values!r}, not a list of numbers")
    return tuple(values)


def _spread(section: Section, key: str) -> float:
    value = section.number(key) if section.has(key) else 0.0
    if not 0.0 <= value <= 0.5:
        raise section.refused(key, "must be between 0 and 0.5")
    return value


def _pixels(section: Section) -> Pixels:
    pixels = Pixels(
        gain_spread=_spread(section, "gain_spread"),
        efficiency_spread=_spread(section, "efficiency_spread"),
        pedestal_spread=section.number("pedestal_spread") if section.has("pedestal_spread") else 0.0,
        time_spread_ns=section.quantity("time_spread", u.ns, "0 ns"),
    )
    if not 0.0 <= pixels.pedestal_spread <= 50.0:
        raise section.refused("pedestal_spread", "must be between 0 and 50 counts")
    if not 0.0 <= pixels.time_spread_ns <= 5.0:
        raise section.refused("time_spread", "must be between 0 and 5 ns")
    section.end()
    return pixels


def _light(kind: str, document: Section) -> FlatField | Muons | Stars | None:
    if kind == "flat-field":
        return _flat_field(document.section("flat_field"))
    if kind == "muon":
        return _muons(document.section("muon"))
    if kind == "stars":
        return _stars(document.section("stars"))
    return None


def _flat_field(section: Section) -> FlatField:
    light = FlatField(
        light_pe=section.number("light"),
        flash_spread=_spread(section, "flash_spread"),
        width_ns=section.quantity("width", u.ns, "1 ns"),
    )
    if not 0.0 < light.light_pe <= 2000.0:
        raise section.refused("light", "must be above 0 and at most 2000 photoelectrons")
    if not 0.0 <= light.width_ns <= 5.0:
        raise section.refused("width", "must be between 0 and 5 ns")
    section.end()
    return light


def _muons(section: Section) -> Muons:
    muons = Muons(
        energy_min_tev=section.quantity("energy_min", u.TeV),
        energy_max_tev=section.quantity("energy_max", u.TeV),
        index=section.number("index"),
        impact_max_m=section.quantity("impact_max", u.m),
        view_cone_deg=section.quantity("view_cone", u.deg),
        throughput=section.number("throughput"),
    )
    for key, fine, reason in (
        ("energy_min", muons.energy_min_tev >= 0.006, "must be at least 6 GeV"),
        ("energy_max", muons.energy_max_tev > muons.energy_min_tev, "must be above energy_min"),
        ("energy_max", muons.energy_max_tev <= ENERGY_LIMITS[1], f"must be at most {ENERGY_LIMITS[1]:g} TeV"),
        ("index", abs(muons.index) <= 10.0, "must be between -10 and 10"),
        ("impact_max", 0.0 < muons.impact_max_m <= 50.0, "must be above 0 and at most 50 m"),
        ("view_cone", 0.0 <= muons.view_cone_deg <= 5.0, "must be between 0 and 5 deg"),
        ("throughput", 0.0 < muons.throughput <= 1.5, "must be above 0 and at most 1.5"),
    ):
        if not fine:
            raise section.refused(key, reason)
    section.end()
    return muons


def _stars(section: Section) -> Stars:
    pointing = section.section("pointing")
    direction = pointing.direction()
    pointing.end()
    altitude, azimuth = 0.0, 0.0
    if section.has("pointing_offset"):
        offset = section.section("pointing_offset")
        altitude, azimuth = offset.quantity("altitude", u.deg), offset.quantity("azimuth", u.deg)
        if max(abs(altitude), abs(azimuth)) > _GREATEST_OFFSET_DEG:
            raise offset.refused("altitude", f"and azimuth must be at most {_GREATEST_OFFSET_DEG:g} deg")
        offset.end()
    stars = []
    for one in section.sections("list"):
        rate = one.quantity("rate", _PER_NS)
        if not 0.0 < rate <= 1000.0:
            raise one.refused("rate", "must be above 0 and at most 1000 / ns")
        stars.append(Star(name=one.text("name"), direction=one.direction(), rate_per_ns=rate))
        one.end()
    if not stars:
        raise section.refused("list", "names no star")
    section.end()
    return Stars(
        pointing=direction, offset_altitude_deg=altitude, offset_azimuth_deg=azimuth, stars=tuple(stars)
    )
