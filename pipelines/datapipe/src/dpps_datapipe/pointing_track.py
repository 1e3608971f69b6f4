"""Where the telescopes of an observation pointed, for the readers of DL1 and DL2 files.

ctapipe writes the pointing of simulations only. Models of the displacement need
that of every telescope in horizontal coordinates at the time of an event, and find
it in a table of monitored pointings: the one that is made here from the events.
"""

import math
from typing import Any

import astropy.units as u
import numpy as np
from astropy.table import QTable
from astropy.time import Time
from ctapipe.containers import ArrayEventContainer
from ctapipe.io import write_table
from ctapipe.io.hdf5dataformat import DL0_TEL_POINTING_GROUP

__all__ = ["PointingTrack"]

#: In which an array that follows the sky moves by 15 arcsec at most: between rows it is interpolated.
_STEP_SECONDS = 1.0
#: Telescopes have clocks of their own: their events lie this near to those of the array. (0.02 arcsec.)
_MARGIN_SECONDS = 1e-3


class PointingTrack:
    """The pointing of each telescope against time, once a second."""

    def __init__(self) -> None:
        #: By telescope: TAI seconds since 1970, altitude and azimuth in radians.
        self._rows: dict[int, list[tuple[float, float, float]]] = {}
        self._last: dict[int, tuple[float, float, float]] = {}

    def fill_monitoring_container(self, event: ArrayEventContainer) -> None:
        """Note where the telescopes of an event pointed; the event stays as it is.

        Parameters
        ----------
        event : ctapipe.containers.ArrayEventContainer
            In order of time, with the pointing filled in.
        """
        seconds = float(event.trigger.time.unix_tai)
        for tel_id, telescope in event.monitoring.tel.items():
            altitude = float(u.Quantity(telescope.pointing.altitude).to_value(u.rad))
            azimuth = float(u.Quantity(telescope.pointing.azimuth).to_value(u.rad))
            if math.isnan(altitude):
                continue
            row = (seconds, altitude, azimuth)
            rows = self._rows.setdefault(tel_id, [(seconds - _MARGIN_SECONDS, altitude, azimuth)])
            if seconds - rows[-1][0] >= _STEP_SECONDS:
                rows.append(row)
            self._last[tel_id] = row

    def write(self, file: Any) -> None:
        """Write a table for each telescope that had a pointing.

        Parameters
        ----------
        file : tables.File
            Open for writing.
        """
        for tel_id, rows in self._rows.items():
            seconds, altitude, azimuth = self._last[tel_id]
            track = np.array([*rows, (seconds + _MARGIN_SECONDS, altitude, azimuth)])
            table = QTable(
                {
                    "time": Time(track[:, 0], format="unix_tai", scale="tai"),
                    "azimuth": track[:, 2] * u.rad,
                    "altitude": track[:, 1] * u.rad,
                }
            )
            write_table(table, file, f"{DL0_TEL_POINTING_GROUP}/tel_{tel_id:03d}")
