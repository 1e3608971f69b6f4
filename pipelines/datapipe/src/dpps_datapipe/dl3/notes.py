"""What the events of an observation do not say: a small YAML document beside them."""

from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from dpps.domain.steps import ConfigurationError, CorruptedInput, MissingInput

__all__ = [
    "DeadTime",
    "InstrumentModel",
    "Interval",
    "ObservationNotes",
    "Rights",
    "SimulatedClock",
    "Target",
    "check_block",
    "read_notes",
]

type Degrees = Annotated[float, Field(ge=-360.0, le=360.0)]
type Declination = Annotated[float, Field(ge=-90.0, le=90.0)]
#: What fits into a FITS keyword and cannot end a line.
type Text = Annotated[str, Field(max_length=60, pattern=r"^[\x20-\x7e]*$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Target(_Part):
    """What was looked at."""

    name: Text
    ra_deg: Degrees
    dec_deg: Declination


class Tracking(_Part):
    """A direction on the sky (ICRS) that the array followed."""

    ra_deg: Degrees
    dec_deg: Declination


class Interval(_Part):
    """A time without usable data: a pause, or what the data-quality selection takes out."""

    start: AwareDatetime
    stop: AwareDatetime
    reason: Text

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.stop <= self.start:
            raise ValueError("stop is not after start")
        return self


class DeadTime(_Part):
    """Part of the good time in which no event could be taken: one of the two."""

    #: Of the good time.
    fraction: Annotated[float, Field(ge=0.0, lt=1.0)] | None = None
    #: Seconds after each event of the array; the fraction follows from their rate.
    per_event_s: Annotated[float, Field(ge=0.0)] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.fraction is None) == (self.per_event_s is None):
            raise ValueError("give either fraction or per_event_s")
        return self


class SimulatedClock(_Part):
    """Times for simulated events, which have none that means anything."""

    start: AwareDatetime
    rate_hz: Annotated[float, Field(gt=0.0)]


class Rights(_Part):
    """Who may have the data, and from when on everybody."""

    rights: Literal["public", "secure", "proprietary"]
    public_from: AwareDatetime | None = None
    release: Text | None = None
    license: Text | None = None


class InstrumentModel(_Part):
    """The version of the instrument model that the events were simulated with."""

    version: Text
    #: Checksum of all files of the model.
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class ObservationNotes(_Part):
    """All of it is optional; what is missing is taken from the events."""

    #: The observation block that the notes are of.
    obs_id: Annotated[int, Field(ge=0)] | None = None
    site: Literal["CTAO-North", "CTAO-South"] | None = None
    target: Target | None = None
    pointing: Tracking | None = None
    start: AwareDatetime | None = None
    stop: AwareDatetime | None = None
    pauses: tuple[Interval, ...] = ()
    #: Taken out by the data-quality selection.
    bad_intervals: tuple[Interval, ...] = ()
    dead_time: DeadTime | None = None
    #: GADF: -1 unknown, 0 best, 1 medium, 2 bad.
    quality: Annotated[int, Field(ge=-1, le=2)] = -1
    rights: Rights | None = None
    event_class: Text | None = None
    #: Times for simulated events.
    simulated: SimulatedClock | None = None
    #: The events were simulated as an observation: they have a clock, and the facility is "Simulated-CTAO".
    simulated_observation: bool = False
    instrument_model: InstrumentModel | None = None


def read_notes(path: Path | None) -> ObservationNotes:
    """Read the document.

    Parameters
    ----------
    path : pathlib.Path or None
        YAML; None: nothing is noted.

    Returns
    -------
    ObservationNotes

    Raises
    ------
    MissingInput
        If the file is not there.
    ConfigurationError
        If it is no YAML, or says something that is unknown or impossible.
    """
    if path is None:
        return ObservationNotes()
    if not path.is_file():
        raise MissingInput("the file is not there", path=path)
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    # Of a tag or a date that does not fit its value PyYAML lets the errors of Python's own types through.
    except (yaml.YAMLError, ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise ConfigurationError(f"no YAML: {error}", path=path) from error
    try:
        return ObservationNotes.model_validate(document or {})
    except ValidationError as error:
        reasons = "; ".join(f"{'.'.join(map(str, wrong['loc']))}: {wrong['msg']}" for wrong in error.errors())
        raise ConfigurationError(reasons, path=path, next_step="see the user page on event lists") from error


def check_block(notes: ObservationNotes, path: Path | None, obs_id: int) -> list[str]:
    """Check that notes are of an observation block.

    Parameters
    ----------
    notes : ObservationNotes
        What is noted.
    path : pathlib.Path or None
        Where it was read; None: nothing is noted.
    obs_id : int
        The observation block of the events.

    Returns
    -------
    list of str
        That it could not be checked, where the notes do not name their block.

    Raises
    ------
    CorruptedInput
        If the notes are of another block.
    """
    if path is None:
        return []
    if notes.obs_id is None:
        return [f"{path.name} does not name its observation block (obs_id): not checked"]
    if notes.obs_id != obs_id:
        raise CorruptedInput(
            f"notes of observation block {notes.obs_id}, but the events are of {obs_id}",
            path=path,
            next_step="give the notes that were written with these events",
        )
    return []
