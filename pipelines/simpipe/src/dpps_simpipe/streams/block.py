"""What a stream is of: identity, time and pointing of an observation block."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from dpps.domain.errors import InvalidInput

__all__ = ["CREATORS", "StreamBlock", "StreamIdentity", "Tracking"]

#: Who makes scheduling blocks, by site (data model of DL0: ACADA-North, ACADA-South).
CREATORS = {"CTAO-North": 2, "CTAO-South": 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracking:
    """Where the array pointed.

    Parameters
    ----------
    mode : str
        Of the data model: fixed on the sky or on the horizon.
    altitude_min_deg, altitude_max_deg : float
        Range of the altitude.
    azimuth_mean_deg, azimuth_range_deg : float
        Mean and full width of the azimuth, from North to East.
    ra_deg, dec_deg : float or None
        ICRS direction that was followed; None with a fixed horizontal pointing.
    field_of_view_deg : float
        Diameter of the field.
    """

    mode: Literal["fixed_icrs", "fixed_horizontal"]
    altitude_min_deg: float
    altitude_max_deg: float
    azimuth_mean_deg: float
    azimuth_range_deg: float = 0.0
    ra_deg: float | None = None
    dec_deg: float | None = None
    field_of_view_deg: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamBlock:
    """Identity, time and pointing of an observation block.

    Parameters
    ----------
    sb_id, obs_id : int
        Scheduling block and observation block.
    start : datetime
        Start (aware, whole seconds).
    duration_seconds : float
        Length.
    subarray_id : int
        Number of the subarray at the observatory.
    site : str
        ``CTAO-North`` or ``CTAO-South``.
    tracking : Tracking
        Pointing.
    seed : int
        What the content was drawn from.
    origin : str
        Institution that the headers name.
    maker : str
        Contact that the headers name.
    email : str
        Its address.
    """

    sb_id: int
    obs_id: int
    start: datetime
    duration_seconds: float
    subarray_id: int
    site: str
    tracking: Tracking
    seed: int
    origin: str
    maker: str
    email: str

    def __post_init__(self) -> None:
        """Refuse a start that the names and headers of files cannot say.

        Raises
        ------
        InvalidInput
            If `start` has no time zone or is no whole second.
        """
        if self.start.tzinfo is None or self.start.microsecond:
            raise InvalidInput(
                f"start {self.start} has no time zone or is no whole second",
                code="simpipe.start-invalid",
                next_step="Give a time such as 2026-01-15T22:00:00Z.",
            )

    @property
    def end(self) -> datetime:
        """End of the block."""
        return self.start + timedelta(seconds=self.duration_seconds)

    @property
    def start_tai_seconds(self) -> int:
        """Start in TAI seconds since 1970-01-01 (TAI), leap seconds counted."""
        from astropy.time import Time

        return round(float(Time(self.start).unix_tai))


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamIdentity:
    """What one file of a block holds.

    Parameters
    ----------
    tel_id : int or None
        Telescope; None: a stream of the subarray.
    data_type : str
        Word of the data model for the kind of content (`DataType`).
    title : str
        For readers.
    chunk : int
        Number of the file in its stream.
    """

    tel_id: int | None
    data_type: str
    title: str
    chunk: int = 0
