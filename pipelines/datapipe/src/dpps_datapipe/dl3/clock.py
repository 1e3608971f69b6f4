"""Times of an observation: one reference, one scale, said in the headers.

ctapipe's event times are International Atomic Time (TAI); the notes of an
observation are Universal Time (UTC) by their zone. Event lists count seconds
since a reference in Terrestrial Time (TT, the recommendation of GADF) or TAI;
never in UTC, where a leap second would be lost. A time in seconds since the
year 2000 keeps 1e-7 s in a double.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from dpps_datapipe.dl3.intervals import Floats

__all__ = ["SCALES", "Clock"]

#: Time scales of event lists.
SCALES = ("tt", "tai")


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """Seconds since the reference 2000-01-01T12:00:00 in a time scale."""

    #: ``"tt"`` or ``"tai"``.
    scale: str = "tt"

    @property
    def reference_mjd(self) -> tuple[int, float]:
        """Integer part and fraction of the modified Julian date of the reference."""
        return 51544, 0.5

    def _reference(self) -> Any:
        from astropy.time import Time

        return Time(*self.reference_mjd, format="mjd", scale=self.scale)

    def seconds(self, times: Any) -> Floats:
        """Count seconds since the reference.

        Parameters
        ----------
        times : astropy.time.Time
            In any scale that has an exact relation to the clock's (UTC, TAI, TT).

        Returns
        -------
        numpy.ndarray
            Of the shape of the times.
        """
        return np.asarray((times - self._reference()).to_value("s"), dtype=float)

    def seconds_of(self, moment: datetime) -> float:
        """Count seconds since the reference up to an aware moment."""
        from astropy.time import Time

        return float(self.seconds(Time(moment.astimezone(UTC).replace(tzinfo=None), scale="utc")))

    def times(self, seconds: Floats | float) -> Any:
        """Give the times (`astropy.time.Time`) of seconds since the reference."""
        from astropy import units as u

        return self._reference() + seconds * u.s
