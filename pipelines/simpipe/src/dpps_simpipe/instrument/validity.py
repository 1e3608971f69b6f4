"""Days that a version of the instrument model describes."""

from datetime import UTC, datetime, timedelta

from dpps.domain.errors import InvalidInput
from dpps_simpipe.instrument.store import InstrumentModel

__all__ = ["check_validity"]


def check_validity(model: InstrumentModel, what: str, start: datetime, duration_s: float) -> None:
    """Check that data are of days that a model describes.

    Parameters
    ----------
    model : InstrumentModel
        Version of the model.
    what : str
        Of the data, for messages.
    start : datetime
        Their start (aware).
    duration_s : float
        Their length in s.

    Raises
    ------
    InvalidInput
        They begin before the model's first day, or end after its last one (UTC).
    """
    first = start.astimezone(UTC).date()
    last = (start.astimezone(UTC) + timedelta(seconds=duration_s)).date()
    if first >= model.valid_from and (model.valid_until is None or last <= model.valid_until):
        return
    days = f"{first}" if first == last else f"{first} to {last}"
    until = model.valid_until or "a later version says otherwise"
    raise InvalidInput(
        f"{what} is on {days}, but the instrument model {model.label} in {model.folder} describes data from "
        f"{model.valid_from} until {until}",
        code="simpipe.model-not-valid",
        next_step="Give the model of that time with --instrument, or correct the start.",
        model=model.label,
        valid_from=str(model.valid_from),
        valid_until=str(model.valid_until),
    )
