"""The description of a simulation run: what to simulate, from a YAML or JSON file."""

import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

from dpps.domain.errors import DamagedFile, InvalidInput, NotFound
from dpps_simpipe.atmosphere import BUILT_IN, Atmosphere, load_atmosphere
from dpps_simpipe.documents import UnreadableDocument, read_yaml
from dpps_simpipe.instrument import Array, array_names, load_array, packaged_versions
from dpps_simpipe.showers import PRIMARIES

__all__ = ["BLOCKS_PER_RUN", "Run", "is_run_description", "load_run"]

#: First key of a run description.
KEYWORD = "dpps_simulation"
#: Version of the format of run descriptions.
FORMAT = 1
#: A run number times this, plus the block, is the observation id of a block of showers.
BLOCKS_PER_RUN = 1000
#: Energy limits of the physics in TeV.
ENERGY_LIMITS = (0.003, 300.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run of simulated showers.

    Parameters
    ----------
    run : int
        Run number, 1 to 99999.
    seed : int
        Together with the run and the number of a shower it fixes that shower, whatever else is simulated.
    primary : str
        gamma, electron, muon, proton or helium.
    showers : int
        Number of showers.
    energy_min_tev, energy_max_tev : float
        Limits of the energy of the primary.
    spectral_index : float
        Energies follow E^index between the limits.
    core_radius_m : float
        Cores lie uniformly in a disc perpendicular to the shower around the array's centre.
    core_min_m : float
        Inner radius of the disc.
    reuse : int
        Cores per shower.
    view_cone_deg : float
        Showers come uniformly from a cone around the centre; 0: from one direction.
    altitude_deg, azimuth_deg : float
        Pointing of all telescopes; azimuth from North to East.
    offset_deg : float
        The centre of the showers' cone lies this much higher than the pointing (wobble).
    array : str
        Array of the instrument model.
    model : str
        Instrument model: version of the package or folder (relative to the description); empty: the newest
        of the package.
    model_sha256 : str
        Checksum that the model must have; empty: any.
    atmosphere : str
        Built-in profile or table file (relative to the description); empty: the site's own.
    dispersion : bool
        Whether refraction depends on the wavelength (CORSIKA: no).
    block_showers : int
        Showers per block: the unit of parallel work and one observation id of the output.
    """

    run: int
    seed: int
    primary: str
    showers: int
    energy_min_tev: float
    energy_max_tev: float
    spectral_index: float = -2.0
    core_radius_m: float = 800.0
    core_min_m: float = 0.0
    reuse: int = 1
    view_cone_deg: float = 0.0
    altitude_deg: float = 70.0
    azimuth_deg: float = 180.0
    offset_deg: float = 0.0
    array: str = "ctao-north-alpha"
    model: str = ""
    model_sha256: str = ""
    atmosphere: str = ""
    dispersion: bool = True
    block_showers: int = 1000

    def __post_init__(self) -> None:
        """Refuse what cannot be simulated.

        Raises
        ------
        InvalidInput
            A value is out of its range; names the key.
        NotFound
            There is no such instrument model.
        """
        arrays = array_names(self.model)
        least, most = ENERGY_LIMITS
        for key, fine, reason in (
            ("run", 1 <= self.run <= 99999, "must be between 1 and 99999"),
            ("seed", self.seed >= 0, "must not be negative"),
            ("primary", self.primary in PRIMARIES, f"must be one of {', '.join(PRIMARIES)}"),
            ("showers", self.showers >= 1, "must be at least 1"),
            ("energy_min_tev", self.energy_min_tev >= least, f"must be at least {least} TeV"),
            ("energy_max_tev", self.energy_max_tev <= most, f"must be at most {most} TeV"),
            ("energy_max_tev", self.energy_max_tev >= self.energy_min_tev, "is below energy_min_tev"),
            ("spectral_index", -5.0 <= self.spectral_index <= 0.0, "must be between -5 and 0"),
            ("core_radius_m", 0.0 < self.core_radius_m <= 5000.0, "must be above 0 and at most 5000 m"),
            ("core_min_m", 0.0 <= self.core_min_m < self.core_radius_m, "must be below core_radius_m"),
            ("reuse", 1 <= self.reuse <= 99, "must be between 1 and 99"),
            ("view_cone_deg", 0.0 <= self.view_cone_deg <= 20.0, "must be between 0 and 20 degrees"),
            ("altitude_deg", 30.0 <= self.altitude_deg <= 90.0, "must be between 30 and 90 degrees"),
            ("azimuth_deg", -360.0 <= self.azimuth_deg <= 360.0, "must be between -360 and 360 degrees"),
            ("offset_deg", -10.0 <= self.offset_deg <= 10.0, "must be between -10 and 10 degrees"),
            ("array", self.array in arrays, f"must be one of {', '.join(arrays)}"),
            ("block_showers", self.block_showers >= 1, "must be at least 1"),
            ("block_showers", self.blocks <= BLOCKS_PER_RUN, f"gives more than {BLOCKS_PER_RUN} blocks"),
        ):
            if not fine:
                raise _refused(key, reason)
        found = self.load_array().model_sha256
        if self.model_sha256 not in ("", found):
            raise _refused("model_sha256", f"is not that of the instrument model: {found}")

    def load_array(self) -> Array:
        """Load the array that the description names, of the model that it names.

        Returns
        -------
        Array
            Telescopes, site and efficiencies.
        """
        return load_array(self.array, self.model)

    @property
    def blocks(self) -> int:
        """Number of blocks that the run is made in."""
        return math.ceil(self.showers / max(self.block_showers, 1))

    def block(self, number: int) -> range:
        """Give the numbers of the showers of a block, counted from 0.

        Parameters
        ----------
        number : int
            Block, counted from 0.

        Returns
        -------
        range
            Showers.

        Raises
        ------
        InvalidInput
            The run has no such block.
        """
        if not 0 <= number < self.blocks:
            raise _refused("block", f"{number} does not exist: the run has {self.blocks}")
        first = number * self.block_showers
        return range(first, min(first + self.block_showers, self.showers))

    def load_atmosphere(self) -> Atmosphere:
        """Load the atmosphere that the description names.

        Returns
        -------
        Atmosphere
            Profile.
        """
        return load_atmosphere(self.atmosphere or self.load_array().atmosphere)


def _refused(key: str, reason: str) -> InvalidInput:
    return InvalidInput(
        f"run description: {key} {reason}",
        code="simpipe.run-invalid",
        next_step=f"Correct {key} in the run description.",
        key=key,
    )


def is_run_description(path: Path) -> bool:
    """Tell whether a file is a run description, by its first key.

    Parameters
    ----------
    path : Path
        File.

    Returns
    -------
    bool
        True when it ends in .yaml, .yml or .json and names the keyword at its start.
    """
    if path.suffix not in (".yaml", ".yml", ".json") or not path.is_file():
        return False
    with path.open(encoding="utf-8", errors="replace") as file:
        return KEYWORD in file.read(2000)


def load_run(path: Path) -> Run:
    """Read a run description.

    Parameters
    ----------
    path : Path
        YAML or JSON: ``dpps_simulation: 1`` (version of the format) and the parameters of `Run`.

    Returns
    -------
    Run
        What to simulate.

    Raises
    ------
    NotFound
        There is no such file.
    DamagedFile
        The file is not YAML.
    InvalidInput
        A key is unknown, missing or has a value that cannot be simulated; names the key.
    """
    if not path.is_file():
        raise NotFound(f"run description {path} does not exist", code="simpipe.run-missing", path=path)
    try:
        document = read_yaml(path)
    except UnreadableDocument as error:
        raise DamagedFile(
            f"run description {path} cannot be read: {error}",
            code="simpipe.run-unreadable",
            next_step="Write it as YAML or JSON.",
            path=path,
        ) from error
    if not isinstance(document, Mapping) or document.get(KEYWORD) != FORMAT:
        raise _refused(KEYWORD, f"must be {FORMAT}: {path} is no run description of this version")
    values = {key: value for key, value in document.items() if key != KEYWORD}
    checked = _checked(values)
    for key, known in (("atmosphere", BUILT_IN), ("model", packaged_versions())):
        if checked.get(key) and checked[key] not in known:
            checked[key] = str(path.parent / checked[key])
    return Run(**checked)


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    """Refuse unknown and missing keys and values of another type."""
    known = {field.name: field for field in fields(Run)}
    for key in values:
        if key not in known:
            raise _refused(str(key), "is not a key of run descriptions")
    checked: dict[str, Any] = {}
    for name, field in known.items():
        if name not in values:
            if field.default is MISSING:
                raise _refused(name, "is missing")
            continue
        value = values[name]
        if field.type is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if not isinstance(value, field.type) or (field.type is int and isinstance(value, bool)):  # type: ignore[arg-type] # all are classes
            raise _refused(name, f"is {value!r}, not a {getattr(field.type, '__name__', 'value')}")
        if isinstance(value, float) and not math.isfinite(value):
            raise _refused(name, "must be finite")
        checked[name] = value
    return checked
