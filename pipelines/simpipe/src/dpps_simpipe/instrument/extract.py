"""Take camera geometry and pulse shapes from a sim_telarray file: how the package's files were made."""

from pathlib import Path

from ctapipe.instrument import CameraGeometry, CameraReadout
from ctapipe.io import SimTelEventSource

from dpps.domain.errors import NotFound

__all__ = ["extract_camera"]


def extract_camera(simtel: Path, tel_id: int, name: str, folder: Path, *, source: str) -> tuple[Path, Path]:
    """Write the camera of a telescope as ctapipe's camera files.

    Parameters
    ----------
    simtel : Path
        File of sim_telarray.
    tel_id : int
        Telescope in it.
    name : str
        Name that the camera gets.
    folder : Path
        Where the files go.
    source : str
        Where the file is from and its licence, kept in the headers.

    Returns
    -------
    tuple of Path
        ``<name>.camgeom.fits.gz`` and ``<name>.camreadout.fits.gz``.

    Raises
    ------
    NotFound
        The file has no such telescope.
    """
    with SimTelEventSource(simtel, focal_length_choice="EQUIVALENT") as events:
        if tel_id not in events.subarray.tel:
            raise NotFound(
                f"{simtel} has no telescope {tel_id}", code="simpipe.telescope-unknown", path=simtel
            )
        camera = events.subarray.tel[tel_id].camera
        geometry: CameraGeometry = camera.geometry
        readout: CameraReadout = camera.readout
    geometry.name = name
    readout.name = name
    written = []
    for kind, thing in (("camgeom", geometry), ("camreadout", readout)):
        table = thing.to_table()
        table.meta["SOURCE"] = source
        path = folder / f"{name}.{kind}.fits.gz"
        table.write(path, overwrite=True)
        written.append(path)
    return written[0], written[1]
