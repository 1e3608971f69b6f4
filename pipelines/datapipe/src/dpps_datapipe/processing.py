"""``ctapipe-process`` for raw streams: pixels of the low gain stay, the pointing is written.

The reader of DL0 streams (ctapipe-io-zfits 0.6) marks a gain channel that was not
stored as an outlier. Where the telescope stored one channel of each pixel,
ctapipe 0.32 then looks at the mark of the first channel for every pixel: those
that were read out in the low gain, the brightest, are taken for broken and get
the mean of their neighbours. Here the mark that counts is that of the channel
that was stored. (See https://github.com/cta-observatory/ctapipe/pull/3102.)
"""

from typing import ClassVar

import numpy as np
from ctapipe.calib import CameraCalibrator
from ctapipe.containers import ArrayEventContainer
from ctapipe.reco import HillasReconstructor
from ctapipe.reco.reconstructor import Reconstructor
from ctapipe.tools.process import ProcessorTool

# Known to ctapipe by its name once it is imported.
from dpps_datapipe.camera_calibration import CameraCalibrationSource
from dpps_datapipe.pointing_track import PointingTrack
from dpps_datapipe.stereo import PlainHillasReconstructor

__all__ = ["ObservationProcessor", "SelectedGainCalibrator", "mark_stored_channel"]


def mark_stored_channel(event: ArrayEventContainer) -> None:
    """Let the marks of outliers be those of the channel that each pixel stored.

    Parameters
    ----------
    event : ctapipe.containers.ArrayEventContainer
        R1 or DL0, changed in place; telescopes that stored all channels stay as they are.
    """
    for tel_id, camera in (event.r1.tel or event.dl0.tel).items():
        coefficients = event.monitoring.tel[tel_id].camera.coefficients
        mask, channel = coefficients.outlier_mask, camera.selected_gain_channel
        if mask is None or channel is None:
            continue
        stored = mask[channel, np.arange(mask.shape[1])]
        # ctapipe takes the first channel in one place, the stored one in another.
        coefficients.outlier_mask = np.tile(stored, (mask.shape[0], 1))


class SelectedGainCalibrator(CameraCalibrator):
    """ctapipe's calibration of cameras, with the marks of `mark_stored_channel`."""

    def __call__(self, event: ArrayEventContainer) -> None:
        """Calibrate an event.

        Parameters
        ----------
        event : ctapipe.containers.ArrayEventContainer
            The event, changed in place.
        """
        mark_stored_channel(event)
        super().__call__(event)


class ObservationProcessor(ProcessorTool):
    """``ctapipe-process`` with `SelectedGainCalibrator`, `PointingTrack` and `PlainHillasReconstructor`.

    It is configured as the stock tool is.
    """

    classes: ClassVar = [*ProcessorTool.classes, CameraCalibrationSource]

    def setup(self) -> None:
        """Prepare the stock tool."""
        super().setup()
        self.calibrate = SelectedGainCalibrator(parent=self, subarray=self.event_source.subarray)
        self.process_shower.reconstructors = [
            self._quicker(one) for one in self.process_shower.reconstructors
        ]
        self._track = PointingTrack()
        if not self.event_source.is_simulation:
            # The last in the list: it sees what the others filled in.
            self._monitoring_sources.append(self._track)

    def _quicker(self, reconstructor: Reconstructor) -> Reconstructor:
        """Give what computes the same as a stock component in less time, where there is such."""
        if type(reconstructor) is not HillasReconstructor:
            return reconstructor
        return PlainHillasReconstructor(self.event_source.subarray, parent=self.process_shower)

    def finish(self) -> None:
        """Write what belongs to the whole run."""
        super().finish()
        self._track.write(self.write._writer.h5file)
