"""How the cameras of the instrument model are stored in streams."""

import astropy.units as u
import numpy as np

from dpps_simpipe import __version__
from dpps_simpipe.camera.electronics import electronics_of
from dpps_simpipe.camera.tables import prepare_camera
from dpps_simpipe.instrument import Telescope, camera_description
from dpps_simpipe.streams import CameraStream

__all__ = ["ORIGIN", "camera_stream"]

#: Institution that headers name.
ORIGIN = "dpps-simpipe"
#: Pixels of a module (of LST and NectarCAM 7, FlashCam 12, SST 64), where the file has the number of modules.
_PIXELS_PER_MODULE = {"LSTCam": 7, "NectarCam": 7, "FlashCam": 12, "SSTCam": 64}
#: Pedestal in counts of the high gain, above the lowest number that can be stored: room for the noise of the
#: low gain, whose counts are some twenty times larger.
_PEDESTAL_COUNTS = 800.0
_LARGEST = np.iinfo(np.uint16).max


def camera_stream(telescope: Telescope) -> CameraStream:
    """Describe how a telescope's samples are stored.

    A step of the stored number is a count of the high gain, or two, four, … counts where the range of the
    low gain would not fit in 16 bit otherwise. Counts then lie half a count beside the steps: rounding is as
    often up as down.

    Parameters
    ----------
    telescope : Telescope
        Telescope of the array.

    Returns
    -------
    CameraStream
        Size, scale and offset.
    """
    kind = telescope.kind
    camera, electronics = prepare_camera(kind), electronics_of(kind)
    readout = camera_description(kind).readout
    scale = float(camera.pulses.area[0] / electronics.least_count[0])
    count, offset = 1.0 / scale, _PEDESTAL_COUNTS / scale
    largest = float((electronics.limit / camera.pulses.area[: len(electronics.limit)]).max())
    while (largest + offset) * scale > _LARGEST:
        scale /= 2.0
        offset = (_PEDESTAL_COUNTS + 0.5) * count
    return CameraStream(
        tel_id=telescope.tel_id,
        n_pixels=camera.n_pixels,
        n_modules=-(-camera.n_pixels // _PIXELS_PER_MODULE[kind.camera]),
        n_samples=camera.n_samples,
        n_channels=len(kind.amplitude_counts),
        sampling_mhz=round(readout.sampling_rate.to_value(u.MHz)),
        scale=scale,
        offset=offset,
        model_version=f"1.0 ({ORIGIN} {__version__})",
    )
