"""Camera calibration coefficients for the telescopes that a file has.

ctapipe's reader of calibration files wants coefficients for every telescope of
the array. The calibration of an observation is made telescope by telescope: here
a file holds those of some telescopes, and an event of any other one is refused.
"""

from pathlib import Path
from typing import Any

import numpy as np
from ctapipe.containers import ArrayEventContainer
from ctapipe.instrument import SubarrayDescription
from ctapipe.io import HDF5MonitoringSource

from dpps.domain.steps import ConfigurationError, CorruptedInput, MissingInput
from dpps_datapipe.steps.inputs import other_telescopes
from dpps_datapipe.steps.models import telescopes_of

__all__ = ["CameraCalibrationSource"]


class CameraCalibrationSource(HDF5MonitoringSource):
    """ctapipe's source of monitoring data, for a file of some of the telescopes.

    The file is named by ``HDF5MonitoringSource.input_files``. Chosen by its name
    in ``dpps-datapipe process --monitoring-source``.
    """

    #: First that of the events, then of the calibrated telescopes (`ctapipe.instrument.SubarrayDescription`).
    subarray: Any

    @property
    def _path(self) -> Path:
        return Path(self.input_files[0])

    def _read_and_validate_subarrays(self) -> None:
        """Take the telescopes of the file; they must be those of the events' array.

        Raises
        ------
        ConfigurationError
            If there is more than one file.
        CorruptedInput
            If the file is of another array.
        """
        if len(self.input_files) > 1:
            raise ConfigurationError(
                "several files of camera calibration", next_step="give one, with all telescopes of the events"
            )
        calibrated = SubarrayDescription.from_hdf(self._path)
        reasons = other_telescopes(telescopes_of(calibrated), telescopes_of(self.subarray))
        if reasons:
            raise CorruptedInput(
                f"calibration of another array than that of the events: {'; '.join(reasons[:3])}",
                path=self._path,
                next_step="use the calibration of these telescopes",
            )
        self.subarray = calibrated

    def _process_camera_coefficients(self, file: Any) -> None:
        """Read the coefficients.

        Raises
        ------
        CorruptedInput
            If their shape is not that of the camera, or a pixel that is not marked
            as an outlier has none.
        """
        super()._process_camera_coefficients(file)
        for tel_id, table in self.camera_coefficients.items():
            readout = self.subarray.tel[tel_id].camera.readout
            shape = (readout.n_channels, readout.n_pixels)
            used = ~np.asarray(table["outlier_mask"])
            for name in ("factor", "pedestal_offset", "time_shift"):
                values = np.asarray(table[name])
                if values.shape[1:] != shape or used.shape != values.shape:
                    raise CorruptedInput(
                        f"{name} of telescope {tel_id} has the shape {values.shape[1:]}, its camera {shape}",
                        path=self._path,
                        next_step="calibrate this camera again",
                    )
                if not np.isfinite(values[used]).all():
                    raise CorruptedInput(
                        f"{name} of telescope {tel_id} is not finite in pixels that are no outliers",
                        path=self._path,
                        next_step="calibrate this camera again, or mark these pixels",
                    )

    def _get_camera_coefficients_values(self, tel_id: int, time: Any) -> dict[str, Any]:
        """Give the coefficients at a time.

        Raises
        ------
        MissingInput
            If there are none that are valid.
        """
        try:
            values: dict[str, Any] = super()._get_camera_coefficients_values(tel_id, time)
        except ValueError as error:
            raise MissingInput(
                f"no calibration of telescope {tel_id} at {time}: {error}",
                path=self._path,
                next_step="use the calibration of this observation",
            ) from error
        if not values["is_valid"]:
            raise MissingInput(
                f"the calibration of telescope {tel_id} at {time} is marked as not valid",
                path=self._path,
                next_step="calibrate this camera again",
            )
        return values

    def fill_monitoring_container(self, event: ArrayEventContainer) -> None:
        """Give their coefficients to the telescopes of an event.

        Parameters
        ----------
        event : ctapipe.containers.ArrayEventContainer
            The event, changed in place.

        Raises
        ------
        MissingInput
            If one of them has none: its images would stay uncalibrated.
        """
        present = set(event.r1.tel) | set(event.dl0.tel)
        missing = sorted(present - set(self.camera_coefficients))
        if missing:
            raise MissingInput(
                f"no calibration coefficients for telescope {', '.join(map(str, missing))}",
                path=self._path,
                next_step="calibrate these cameras, or leave their streams out",
            )
        cameras = {tel_id: event.monitoring.tel[tel_id].camera for tel_id in present}
        of_event = {tel_id: camera.coefficients.outlier_mask for tel_id, camera in cameras.items()}
        super().fill_monitoring_container(event)
        for tel_id, mask in of_event.items():
            if mask is not None:
                # Pixels that this event did not store are no outliers of the calibration.
                coefficients = event.monitoring.tel[tel_id].camera.coefficients
                coefficients.outlier_mask = coefficients.outlier_mask | mask
