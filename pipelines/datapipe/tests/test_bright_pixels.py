"""Pixels that a stream holds in the low gain keep their light."""

from pathlib import Path

import numpy as np
import yaml
from ctapipe.containers import ArrayEventContainer, CameraCalibrationContainer, DL0CameraContainer
from ctapipe.instrument import SubarrayDescription
from dpps_datapipe.array_description import array_description
from dpps_datapipe.processing import SelectedGainCalibrator
from traitlets.config import Config

CONFIGURATIONS = Path(__file__).parents[3] / "workflows" / "configurations"
PEAK = 20
#: Identifier of the four LSTs of CTAO-North, whose cameras have two gains.
LSTS_NORTH = 2


def test_light_in_the_low_gain_is_extracted() -> None:
    with array_description():
        subarray = SubarrayDescription.from_service_data(LSTS_NORTH)
    tel_id = next(iter(subarray.tel))
    camera = subarray.tel[tel_id].camera
    is_low = np.zeros(camera.geometry.n_pixels, dtype=bool)
    bright = int(np.argmin(np.hypot(camera.geometry.pix_x, camera.geometry.pix_y)))
    # A whole bright core: no neighbour of its middle is in the high gain.
    is_low[[bright, *camera.geometry.neighbors[bright]]] = True
    waveform = np.zeros((1, len(is_low), 40), dtype=np.float32)
    waveform[0, is_low, PEAK - 2 : PEAK + 3] = 100.0
    event = ArrayEventContainer()
    event.dl0.tel[tel_id] = DL0CameraContainer(
        waveform=waveform, selected_gain_channel=np.where(is_low, 1, 0).astype(np.int8)
    )
    # As the reader of streams has it: of each pixel the other gain is missing.
    event.monitoring.tel[tel_id].camera.coefficients = CameraCalibrationContainer(
        outlier_mask=np.array([is_low, ~is_low])
    )
    configuration = Config(yaml.safe_load((CONFIGURATIONS / "process_events.yaml").read_text()))
    SelectedGainCalibrator(subarray=subarray, config=configuration)(event)
    image = event.dl1.tel[tel_id].image
    assert image[bright] > 300.0
    assert np.abs(image[~is_low]).max() < 1.0
