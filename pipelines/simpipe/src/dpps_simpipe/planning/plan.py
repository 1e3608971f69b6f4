"""The plan of a simulation production, as people write it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from dpps.domain.steps import ConfigurationError, MissingInput
from dpps_simpipe.documents import UnreadableDocument, read_yaml

__all__ = ["LIGHT", "Plan", "Pointings", "Primary", "PrimaryName", "Scaling", "Statistics", "load_plan"]

PrimaryName = Literal["gamma", "electron", "proton", "helium", "muon"]
LIGHT: Final = frozenset({"gamma", "electron"})
"""Primaries whose showers need no hadronic interaction model."""

_SHOWERS_MAX: Final = 10**11
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,99}$")]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Zenith = Annotated[float, Field(ge=0, lt=80, allow_inf_nan=False)]
Azimuth = Annotated[float, Field(ge=0, lt=360, allow_inf_nan=False)]
Cone = Annotated[float, Field(ge=0, le=20, allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Statistics(_Part):
    """How many showers: a number, or what uncertainty they shall bring."""

    total_showers: Annotated[int, Field(gt=0, le=_SHOWERS_MAX)] | None = None
    """Showers at each point; with `relative_error`, the most that may be thrown."""
    relative_error: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Statistical error of the effective area in every bin of the range, relative to it: one over the root of
    the selected showers."""
    selection_fraction: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Part of the triggered events that pass the cuts of the response."""
    probability: Annotated[float, Field(ge=0.5, lt=1)] = 0.95
    """With which a bin gets the showers that its error asks for."""
    bins_per_decade: Annotated[int, Field(ge=1, le=50)] = 5
    energy_tev: tuple[Positive, Positive] | None = None
    """Range of true energy in which the error holds, in TeV; default: all of the primary's."""
    pilot: Path | None = None
    """Triggered fraction of the thrown showers by true energy (ECSV: energy_min, energy_max, fraction)."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.total_showers is None and self.relative_error is None:
            raise ValueError("give total_showers, or relative_error with a pilot")
        if (self.relative_error is None) != (self.pilot is None):
            raise ValueError("relative_error and pilot belong together")
        if self.energy_tev is not None and self.energy_tev[0] >= self.energy_tev[1]:
            raise ValueError("energy_tev must rise")
        return self


class Primary(_Part):
    """One kind of particle and how it is thrown."""

    primary: PrimaryName
    energy_tev: tuple[Positive, Positive]
    spectral_index: Annotated[float, Field(ge=-5, le=0)] = -2.0
    """Of the thrown spectrum dN/dE."""
    cores_per_shower: Annotated[int, Field(ge=1, le=100)] = 1
    core_scatter_max_m: Annotated[float, Field(gt=0, le=10_000)]
    view_cone_deg: tuple[Cone, Cone] = (0.0, 0.0)
    showers_per_run: Annotated[int, Field(gt=0, le=10**8)]
    statistics: Statistics

    @model_validator(mode="after")
    def _ranges(self) -> Self:
        low, high = self.energy_tev
        if low >= high:
            raise ValueError(f"energy_tev must rise: {low} to {high}")
        if self.view_cone_deg[0] > self.view_cone_deg[1]:
            raise ValueError("view_cone_deg must not fall")
        wanted = self.statistics.energy_tev
        if wanted is not None and not low <= wanted[0] < wanted[1] <= high:
            raise ValueError("statistics.energy_tev must lie within energy_tev")
        return self


class Pointings(_Part):
    """The points of the grid: every combination."""

    zenith_deg: Annotated[list[Zenith], Field(min_length=1, max_length=100)]
    azimuth_deg: Annotated[list[Azimuth], Field(min_length=1, max_length=100)]
    nsb_rate: Annotated[list[Positive], Field(min_length=1, max_length=20)]
    """Night-sky background, in photons per cm2, ns and sr."""


class Scaling(_Part):
    """How limits move with the zenith angle: multiplied by cos(zenith) to these powers.

    Larger zenith angles put the shower farther away: the light pool grows and thins out, so that threshold
    and area rise.
    """

    energy_min: Finite = 0.0
    energy_max: Finite = 0.0
    core_scatter: Finite = 0.0
    showers: Finite = 0.0


class Cost(_Part):
    """What one shower costs: measured once with `dpps-simpipe` on one core, and scaled."""

    seconds_per_shower_at_1_tev: Positive
    energy_exponent: Finite = 0.8
    """Of the time for one shower with energy."""
    bytes_per_triggered_event: Positive = 200_000.0
    seconds_per_run: Annotated[float, Field(ge=0)] = 20.0
    """Start-up of a run."""


class Plan(_Part):
    """A simulation production."""

    production: Name
    site: Literal["North", "South"]
    array_layout_name: Name
    model_version: Name
    primaries: Annotated[list[Primary], Field(min_length=1, max_length=10)]
    pointings: Pointings
    scaling: Scaling = Scaling()
    limits: Path | None = None
    """Table of limits (`dpps_simpipe.planning.limits`); narrows energies, distances and view cones."""
    cost: Cost | None = None
    first_run: Annotated[int, Field(ge=1)] = 1
    corsika_le_interaction: Name = "urqmd"
    corsika_he_interaction: Name = "epos"

    @model_validator(mode="after")
    def _array_of_the_site(self) -> Self:
        other = "south" if self.site == "North" else "north"
        if other in self.array_layout_name.lower():
            raise ValueError(f"the array {self.array_layout_name} does not stand at the site {self.site}")
        return self

    @model_validator(mode="after")
    def _each_primary_once(self) -> Self:
        names = [one.primary for one in self.primaries]
        if len(set(names)) != len(names):
            raise ValueError("each primary may be planned once")
        return self


def load_plan(path: Path) -> Plan:
    """Read a plan; files that it names are found beside it.

    Raises
    ------
    MissingInput
        When the file, or one that it names, is not there.
    ConfigurationError
        When it is no plan; the message names the entry.
    """
    try:
        document = read_yaml(path)
    except FileNotFoundError as wrong:
        raise MissingInput(f"there is no plan {path}", "check the path") from wrong
    except UnreadableDocument as wrong:
        raise ConfigurationError(
            f"{path} is no YAML: {' '.join(str(wrong).split())}", "correct it"
        ) from wrong
    try:
        plan = Plan.model_validate(document)
    except ValidationError as wrong:
        first = wrong.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the document"
        raise ConfigurationError(
            f"{path}: {place}: {first['msg']}",
            f"correct it ({wrong.error_count()} wrong in all); the page 'Plan simulations' shows a plan",
        ) from wrong
    return _beside(path.parent, plan)


def _beside(folder: Path, plan: Plan) -> Plan:
    primaries = [
        one
        if one.statistics.pilot is None
        else one.model_copy(
            update={
                "statistics": one.statistics.model_copy(
                    update={"pilot": _existing(folder / one.statistics.pilot)}
                )
            }
        )
        for one in plan.primaries
    ]
    limits = None if plan.limits is None else _existing(folder / plan.limits)
    return plan.model_copy(update={"primaries": primaries, "limits": limits})


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise MissingInput(f"the plan names {path}, which is not there", "check the path in the plan")
    return path
