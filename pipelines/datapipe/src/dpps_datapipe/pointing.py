"""The pointing that the files of an observation record, for ctapipe.

The readers of DL0 streams give events without a pointing, and ctapipe fills the
pointing of single telescopes from monitoring files only. Stereoscopic
reconstruction needs both the pointing of the array and of each telescope. This
plug-in of ``ctapipe-process`` (a monitoring source, chosen in the
configuration) takes it from the tracking keywords of the data-product metadata
in the DL0 file, keeps it in the observation block that ctapipe writes to DL1,
and gives it to every event that has none, when DL1 is made and when it is read.
"""

from typing import Any

import astropy.units as u
import numpy as np
from ctapipe.containers import (
    ArrayEventContainer,
    CoordinateFrameType,
    ObservationBlockContainer,
    TelescopePointingContainer,
)
from ctapipe.core import ToolConfigurationError
from ctapipe.io import MonitoringSource, MonitoringType

__all__ = ["RecordedPointingSource", "recorded_pointing"]

_FIXED_HORIZONTAL = "fixed_horizontal"


def recorded_pointing(header: Any) -> tuple[float, float] | None:
    """Read a fixed horizontal pointing from the tracking keywords of a header.

    Parameters
    ----------
    header : mapping
        FITS header with the keywords of the observatory's data model.

    Returns
    -------
    tuple of float or None
        Altitude and azimuth in degrees; None where the header records none, or
        the telescopes followed the sky (the pointing is then no constant).
    """
    if str(header.get("TRACKING", "")) != _FIXED_HORIZONTAL:
        return None
    altitudes = header.get("ALT_MIN"), header.get("ALT_MAX")
    azimuth = header.get("AZ_MEAN")
    if None in (*altitudes, azimuth):
        return None
    return (float(altitudes[0]) + float(altitudes[1])) / 2.0, float(azimuth)


class RecordedPointingSource(MonitoringSource):
    """Fills the pointing where an event has none; leaves every other event alone."""

    def __init__(self, subarray: Any = None, parent: Any = None, **kwargs: Any) -> None:
        """Complete the observation blocks of the tool's event source.

        Parameters
        ----------
        subarray : ctapipe.instrument.SubarrayDescription
            The telescopes.
        parent : ctapipe.core.Tool
            The tool, which has opened its event source.
        **kwargs
            Handed on to ctapipe.

        Raises
        ------
        ctapipe.core.ToolConfigurationError
            If the tool has no event source.
        """
        super().__init__(subarray=subarray, parent=parent, **kwargs)
        source = getattr(parent, "event_source", None)
        if source is None:
            raise ToolConfigurationError(
                "RecordedPointingSource works inside a tool that reads events: "
                "use it in the configuration of ctapipe-process"
            )
        self._blocks: dict[int, ObservationBlockContainer] = source.observation_blocks
        if not source.is_simulation:
            self._complete_blocks(source.input_url)

    @property
    def monitoring_types(self) -> tuple[MonitoringType, ...]:
        """Kinds of monitoring data that this source gives."""
        return (MonitoringType.TELESCOPE_POINTINGS,)

    def get_table(self, monitoring_type: MonitoringType, tel_id: int | None = None, **kwargs: Any) -> Any:
        """Refuse: there is no table behind a recorded pointing.

        Raises
        ------
        KeyError
            Always.
        """
        raise KeyError(f"no table of {monitoring_type} in the headers of an observation")

    def get_values(
        self,
        monitoring_type: MonitoringType,
        time: Any,
        tel_id: int | None = None,
        **kwargs: Any,
    ) -> Any:
        """Refuse: the pointing belongs to an observation block, not to a time.

        Raises
        ------
        KeyError
            Always.
        """
        raise KeyError(f"no values of {monitoring_type} at a time in the headers")

    def fill_monitoring_container(self, event: ArrayEventContainer) -> None:
        """Give the pointing of its observation block to an event without one.

        Parameters
        ----------
        event : ctapipe.containers.ArrayEventContainer
            The event, changed in place.
        """
        block = self._blocks.get(event.index.obs_id)
        if block is None or not _has_horizontal_pointing(block):
            return
        altitude, azimuth = block.subarray_pointing_lat, block.subarray_pointing_lon
        array = event.monitoring.pointing
        if np.isnan(array.array_altitude):
            array.array_altitude = altitude.to(u.rad)
            array.array_azimuth = azimuth.to(u.rad)
        for tel_id in event.trigger.tels_with_trigger:
            telescope = event.monitoring.tel[tel_id]
            if np.isnan(telescope.pointing.altitude):
                # Parallel pointing: what holds for the array holds for each.
                telescope.pointing = TelescopePointingContainer(
                    altitude=altitude.to(u.rad), azimuth=azimuth.to(u.rad)
                )

    def _complete_blocks(self, path: Any) -> None:
        """Put the pointing of a zfits file in the blocks that have none."""
        missing = [block for block in self._blocks.values() if not _has_horizontal_pointing(block)]
        if not missing or not str(path).endswith(".fits.fz"):
            return
        from astropy.io import fits

        pointing = recorded_pointing(fits.getheader(path))
        if pointing is None:
            self.log.warning("%s records no fixed pointing: no stereoscopic reconstruction", path)
            return
        for block in missing:
            block.subarray_pointing_lat = pointing[0] * u.deg
            block.subarray_pointing_lon = pointing[1] * u.deg
            block.subarray_pointing_frame = CoordinateFrameType.ALTAZ


def _has_horizontal_pointing(block: ObservationBlockContainer) -> bool:
    """Tell whether a block records altitude and azimuth."""
    return block.subarray_pointing_frame == CoordinateFrameType.ALTAZ and not bool(
        np.isnan(block.subarray_pointing_lat)
    )
