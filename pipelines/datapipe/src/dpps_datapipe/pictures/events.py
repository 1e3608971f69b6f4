"""What the pictures show, read from DL1, DL2 and, for toy data, a truth table."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Direction",
    "EventReport",
    "PictureError",
    "ReconstructedEvent",
    "TelescopeImage",
    "read_images",
    "read_report",
    "read_visibility",
]

_RECONSTRUCTOR = "HillasReconstructor"


class PictureError(Exception):
    """Files cannot be shown; the message names the file and the next step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Direction:
    """A direction in the horizontal frame; azimuth from north towards east."""

    altitude_deg: float
    azimuth_deg: float

    def separation_deg(self, other: "Direction") -> float:
        """Give the angle to another direction in degrees."""
        first, second = self._vector(), other._vector()
        return float(np.degrees(np.arctan2(np.linalg.norm(np.cross(first, second)), first @ second)))

    def _vector(self) -> NDArray[np.float64]:
        altitude, azimuth = np.radians([self.altitude_deg, self.azimuth_deg])
        horizontal = np.cos(altitude)
        east = horizontal * np.sin(azimuth)
        return np.array([horizontal * np.cos(azimuth), east, np.sin(altitude)])


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconstructedEvent:
    """One event of the DL2 file."""

    obs_id: int
    event_id: int
    #: None where the direction could not be reconstructed.
    reconstructed: Direction | None
    #: None where nothing knows it.
    true: Direction | None
    true_energy_tev: float | None
    pointing: Direction | None

    @property
    def offset_deg(self) -> float | None:
        """Angle between reconstructed and true direction, where both are known."""
        if self.reconstructed is None or self.true is None:
            return None
        return self.reconstructed.separation_deg(self.true)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventReport:
    """All events, and what kind of data they are."""

    #: "toy", "simulation", "observation" or, without any event, "empty".
    label: str
    events: tuple[ReconstructedEvent, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TelescopeImage:
    """A calibrated camera image and its parameters."""

    tel_id: int
    name: str
    #: ctapipe.instrument.CameraGeometry in the telescope frame.
    geometry: Any
    #: Photoelectrons, shape: (pixels,).
    image: NDArray[np.float64]
    #: Pixels that the image cleaning kept, shape: (pixels,).
    mask: NDArray[np.bool_]
    #: ctapipe.containers.HillasParametersContainer, or None without a usable image.
    ellipse: Any


def _focal_length_choice(path: Path) -> str | None:
    """Tell which focal length the processing of a file of ctapipe used.

    That is the effective one; old simulations do not carry it, and were processed
    with the equivalent one.

    Returns
    -------
    ctapipe.io.TableLoader

    Raises
    ------
    PictureError
        If it is missing, or not one of ctapipe.
    """
    import tables

    if not path.is_file():
        raise PictureError(f"{path} is not a file: give the product of ctapipe-process")
    if not tables.is_hdf5_file(str(path)):
        raise PictureError(f"{path} is no HDF5 file: give the product of ctapipe-process")
    with tables.open_file(str(path)) as file:
        if "/configuration/instrument/subarray" not in file.root:
            raise PictureError(f"{path} was not written by ctapipe: give its product")
        if "/dl1/event/subarray/trigger" not in file.root:
            return None
        effective = file.root.configuration.instrument.telescope.optics.col("effective_focal_length")
        return "EFFECTIVE" if np.all(np.isfinite(effective)) else "EQUIVALENT"


def _direction(row: Any, altitude: str, azimuth: str) -> Direction | None:
    """Read a direction (columns in degrees) from a row; None where there is none."""
    if altitude not in row.colnames or not np.isfinite(float(row[altitude])):
        return None
    return Direction(altitude_deg=float(row[altitude]), azimuth_deg=float(row[azimuth]))


def _in_degrees(table: Any, names: tuple[str, ...]) -> None:
    """Convert angle columns of a table in place."""
    for name in names:
        if name in table.colnames and table[name].unit is not None:
            table[name].convert_unit_to("deg")


def _read_truth(path: Path | None) -> tuple[dict[tuple[int, int], Any], str | None]:
    """Read a truth table: rows by observation and event, and its label.

    Raises
    ------
    PictureError
        If the table cannot be read.
    """
    if path is None:
        return {}, None
    from astropy.table import Table

    try:
        table = Table.read(path, format="ascii.ecsv")
    except (OSError, ValueError) as error:
        raise PictureError(f"{path} is no truth table (ECSV): {error}") from error
    _in_degrees(table, ("true_alt", "true_az"))
    if "primary" in table.colnames:
        # What is no gamma comes from anywhere: its direction says nothing of the reconstruction.
        table = table[table["primary"] == "gamma"]
    try:
        blocks = table["obs_id"] if "obs_id" in table.colnames else [table.meta["obs_id"]] * len(table)
        keys = [(int(block), int(event)) for block, event in zip(blocks, table["event_id"], strict=True)]
    except (KeyError, ValueError) as error:
        raise PictureError(f"{path} does not say whose events it knows: {error}") from error
    label = table.meta.get("label", "simulated observation" if "obs_id" in table.meta else "toy")
    return dict(zip(keys, table, strict=True)), str(label)


def _pointings(loader: Any) -> dict[int, Direction]:
    """Give the pointing of each observation block that records altitude and azimuth."""
    from ctapipe.containers import CoordinateFrameType

    blocks = loader.read_observation_information()
    _in_degrees(blocks, ("subarray_pointing_lat", "subarray_pointing_lon"))
    horizontal = CoordinateFrameType.ALTAZ.value
    found = {}
    for block in blocks:
        direction = _direction(block, "subarray_pointing_lat", "subarray_pointing_lon")
        if direction is not None and int(block["subarray_pointing_frame"]) == horizontal:
            found[int(block["obs_id"])] = direction
    return found


def read_report(dl2: Path, truth: Path | None) -> EventReport:
    """Read the events of a DL2 file.

    Parameters
    ----------
    dl2 : pathlib.Path
        File of reconstructed showers.
    truth : pathlib.Path or None
        Truth table (ECSV) of toy data or of a simulated observation; simulations carry theirs.

    Returns
    -------
    EventReport

    Raises
    ------
    PictureError
        If a file cannot be read.
    """
    from ctapipe.io import TableLoader

    true_rows, label = _read_truth(truth)
    choice = _focal_length_choice(dl2)
    if choice is None:
        return EventReport(label=label or "empty", events=())
    with TableLoader(dl2, focal_length_choice=choice) as loader:
        simulated = "/simulation/event/subarray/shower" in loader.h5file.root
        table = loader.read_subarray_events(dl2=True, simulated=simulated)
        pointings = _pointings(loader)
    names = (f"{_RECONSTRUCTOR}_alt", f"{_RECONSTRUCTOR}_az")
    _in_degrees(table, (*names, "true_alt", "true_az"))
    events = []
    for row in table:
        key = (int(row["obs_id"]), int(row["event_id"]))
        true = true_rows.get(key, row)
        energy = float(true["true_energy"]) if "true_energy" in true.colnames else None
        events.append(
            ReconstructedEvent(
                obs_id=key[0],
                event_id=key[1],
                reconstructed=_direction(row, *names),
                true=_direction(true, "true_alt", "true_az"),
                true_energy_tev=energy,
                pointing=pointings.get(key[0]),
            )
        )
    if label is None:
        label = "simulation" if simulated else "observation"
    return EventReport(label=label, events=tuple(events))


def read_visibility(dl1: Path) -> dict[tuple[int, int], tuple[int, float]]:
    """Tell how well each event can be seen.

    Parameters
    ----------
    dl1 : pathlib.Path
        File of image parameters.

    Returns
    -------
    dict
        By observation and event: number of usable images, photoelectrons in them.

    Raises
    ------
    PictureError
        If the file cannot be read.
    """
    from ctapipe.io import TableLoader

    seen: dict[tuple[int, int], tuple[int, float]] = {}
    choice = _focal_length_choice(dl1)
    if choice is None:
        return seen
    with TableLoader(dl1, focal_length_choice=choice) as loader:
        if "/dl1/event/telescope/parameters" not in loader.h5file.root:
            raise PictureError(f"{dl1} has no image parameters: process it with write_parameters")
        table = loader.read_telescope_events(
            dl1_images=False, dl1_parameters=True, dl2=False, simulated=False
        )
    for row in table:
        key = (int(row["obs_id"]), int(row["event_id"]))
        light = float(row["hillas_intensity"])
        images, photoelectrons = seen.get(key, (0, 0.0))
        if np.isfinite(light):
            images, photoelectrons = images + 1, photoelectrons + light
        seen[key] = (images, photoelectrons)
    return seen


def read_images(dl1: Path, obs_id: int, event_id: int) -> list[TelescopeImage]:
    """Read the camera images of one event.

    Parameters
    ----------
    dl1 : pathlib.Path
        File of camera images and their parameters.
    obs_id, event_id : int
        The event.

    Returns
    -------
    list of TelescopeImage
        Brightest first.

    Raises
    ------
    PictureError
        If the file cannot be read.
    """
    from ctapipe.coordinates import TelescopeFrame
    from ctapipe.io import TableLoader

    images: list[TelescopeImage] = []
    choice = _focal_length_choice(dl1)
    if choice is None:
        return images
    with TableLoader(dl1, focal_length_choice=choice) as loader:
        if "/dl1/event/telescope/images" not in loader.h5file.root:
            raise PictureError(f"{dl1} has no camera images: process it with write_images")
        by_telescope = loader.read_telescope_events_by_id(
            dl1_images=True, dl1_parameters=True, simulated=False
        )
        for tel_id, table in by_telescope.items():
            telescope = loader.subarray.tel[tel_id]
            chosen = table[(table["obs_id"] == obs_id) & (table["event_id"] == event_id)]
            images.extend(
                TelescopeImage(
                    tel_id=int(tel_id),
                    name=str(telescope.name),
                    geometry=telescope.camera.geometry.transform_to(TelescopeFrame()),
                    image=np.asarray(row["image"], dtype=np.float64),
                    mask=np.asarray(row["image_mask"], dtype=np.bool_),
                    ellipse=_ellipse(row),
                )
                for row in chosen
            )
    return sorted(images, key=lambda image: -float(image.image[image.mask].sum()))


def _ellipse(row: Any) -> Any:
    """Give the Hillas ellipse of a row, or None."""
    import astropy.units as u
    from ctapipe.containers import HillasParametersContainer

    if "hillas_length" not in row.colnames or not np.isfinite(float(row["hillas_length"])):
        return None
    units = {
        name: row.table[f"hillas_{name}"].unit or u.deg
        for name in ("fov_lon", "fov_lat", "length", "width", "psi")
    }
    values = {name: float(row[f"hillas_{name}"]) * unit for name, unit in units.items()}
    return HillasParametersContainer(intensity=float(row["hillas_intensity"]), **values)
