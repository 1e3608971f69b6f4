"""``dpps-datapipe index-dl3``: observation index and HDU index of event lists."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dpps.domain.steps import CorruptedInput, MissingInput, StepParser
from dpps_datapipe.dl3.headers import hdu_header, index_product
from dpps_datapipe.dl3.writing import write_event_list
from dpps_datapipe.outputs import ASIDE
from dpps_datapipe.provenance import Activity

__all__ = ["index_folder", "run"]

_TYPES = {
    ("EVENTS", ""): ("events", "events"),
    ("GTI", ""): ("gti", "gti"),
    ("RESPONSE", "AEFF_2D"): ("aeff", "aeff_2d"),
    ("RESPONSE", "EDISP_2D"): ("edisp", "edisp_2d"),
    ("RESPONSE", "PSF_3GAUSS"): ("psf", "psf_3gauss"),
    ("RESPONSE", "PSF_TABLE"): ("psf", "psf_table"),
    ("RESPONSE", "BKG_2D"): ("bkg", "bkg_2d"),
    ("RESPONSE", "BKG_3D"): ("bkg", "bkg_3d"),
    ("RESPONSE", "RAD_MAX_2D"): ("rad_max", "rad_max_2d"),
}
#: Columns of the observation index, with the keyword of the events, the form and the unit.
_OBSERVATION = (
    ("OBS_ID", "K", None),
    ("OBS_MODE", "16A", None),
    ("RA_PNT", "E", "deg"),
    ("DEC_PNT", "E", "deg"),
    ("ALT_PNT", "E", "deg"),
    ("AZ_PNT", "E", "deg"),
    ("TSTART", "D", "s"),
    ("TSTOP", "D", "s"),
    ("ONTIME", "E", "s"),
    ("LIVETIME", "E", "s"),
    ("DEADC", "E", None),
    ("N_TELS", "I", None),
    ("TELLIST", "512A", None),
    ("QUALITY", "I", None),
    ("DATE-OBS", "24A", None),
    ("TIME-OBS", "24A", None),
    ("DATE-END", "24A", None),
    ("TIME-END", "24A", None),
)
_TARGET = (("OBJECT", "60A", None), ("RA_OBJ", "E", "deg"), ("DEC_OBJ", "E", "deg"))
_REFERENCE = ("MJDREFI", "MJDREFF", "TIMEUNIT", "TIMESYS", "TIMEREF", "TREFPOS")
_PLACE = ("GEOLON", "GEOLAT", "ALTITUDE")


def _read(path: Path) -> list[Any]:
    """Read the headers of an event list."""
    from astropy.io import fits

    try:
        with path.open("rb") as stream, fits.open(stream) as hdus:
            headers = [hdu.header.copy() for hdu in hdus]
    except (OSError, EOFError) as error:
        raise CorruptedInput(f"truncated or no FITS file: {error}", path=path) from error
    if not any(header.get("EXTNAME") == "EVENTS" for header in headers):
        raise MissingInput("no HDU EVENTS: not an event list", path=path)
    return headers


def _events(headers: Sequence[Any]) -> Any:
    return next(header for header in headers if header.get("EXTNAME") == "EVENTS")


def _observation_index(lists: Sequence[tuple[Path, list[Any]]]) -> Any:
    from astropy.io import fits

    events = [_events(headers) for _, headers in lists]
    targets = _TARGET if all("OBJECT" in header for header in events) else ()
    columns = [
        fits.Column(name, form, unit=unit, array=[header[name] for header in events])
        for name, form, unit in (*_OBSERVATION, *targets)
    ]
    header = hdu_header("INDEX", "OBS")
    for name in (*_REFERENCE, *_PLACE):
        header[name] = (events[0][name], events[0].comments[name])
    return fits.BinTableHDU.from_columns(columns, header=header, name="OBS_INDEX")


def _hdu_index(folder: Path, lists: Sequence[tuple[Path, list[Any]]]) -> Any:
    from astropy.io import fits

    rows = []
    for path, headers in lists:
        obs_id = _events(headers)["OBS_ID"]
        for header in headers:
            key = str(header.get("HDUCLAS1", "")), str(header.get("HDUCLAS4", ""))
            if key in _TYPES:
                where = path.relative_to(folder).parent.as_posix()
                rows.append((obs_id, *_TYPES[key], where, path.name, header["EXTNAME"], path.stat().st_size))
    forms = (
        ("OBS_ID", "K"),
        ("HDU_TYPE", "16A"),
        ("HDU_CLASS", "16A"),
        ("FILE_DIR", "256A"),
        ("FILE_NAME", "128A"),
        ("HDU_NAME", "32A"),
        ("SIZE", "K"),
    )
    columns = [
        fits.Column(name, form, array=list(values))
        for (name, form), values in zip(forms, zip(*rows, strict=True), strict=True)
    ]
    header = hdu_header("INDEX", "HDU")
    return fits.BinTableHDU.from_columns(columns, header=header, name="HDU_INDEX")


def _check(lists: Sequence[tuple[Path, list[Any]]]) -> None:
    seen: dict[int, Path] = {}
    reference = _events(lists[0][1])
    for path, headers in lists:
        events = _events(headers)
        if events["OBS_ID"] in seen:
            raise CorruptedInput(
                f"observation block {events['OBS_ID']} is in {seen[events['OBS_ID']].name} too",
                path=path,
                next_step="keep one event list of each observation",
            )
        seen[events["OBS_ID"]] = path
        if any(events[name] != reference[name] for name in _REFERENCE):
            raise CorruptedInput(
                f"its times are of another reference or scale than in {lists[0][0].name}",
                path=path,
                next_step="make all event lists with one --time-scale",
            )


def index_folder(folder: Path) -> tuple[Path, Path]:
    """Write the indices of the event lists in a folder and the folders below it.

    Parameters
    ----------
    folder : pathlib.Path
        Folder with event lists (``*.fits``, ``*.fits.gz``).

    Returns
    -------
    tuple of pathlib.Path
        Observation index and HDU index, in the folder.

    Raises
    ------
    MissingInput
        If there is no event list.
    CorruptedInput
        If one does not read, an observation is there twice, or times differ in
        their reference.
    """
    names = ("obs-index.fits.gz", "hdu-index.fits.gz")
    paths = sorted(
        path
        for path in folder.rglob("*.fits*")
        if path.name.endswith((".fits", ".fits.gz"))
        and path.name not in names
        # Being written, or left by a run that was killed.
        and not path.name.startswith(ASIDE)
    )
    if not paths:
        raise MissingInput("no event list in the folder", path=folder)
    lists = [(path, _read(path)) for path in paths]
    _check(lists)
    observations, hdus = (folder / name for name in names)
    kind = "DL3/Service/Subarray"
    write_event_list(
        observations,
        index_product("Observation index", f"{kind}/ObservationCatalog"),
        [_observation_index(lists)],
    )
    write_event_list(hdus, index_product("HDU index", f"{kind}/HDUIndex"), [_hdu_index(folder, lists)])
    return observations, hdus


def run(arguments: Sequence[str]) -> None:
    """Index the folder of a command line."""
    parser = StepParser(
        prog="dpps-datapipe index-dl3",
        description="Write obs-index.fits.gz and hdu-index.fits.gz for the event lists in a folder.",
    )
    parser.add_argument("--folder", type=Path, required=True, help="folder with event lists")
    parser.add_argument("--provenance-log", type=Path, help="provenance record")
    options = parser.parse_args(arguments)
    with Activity("dpps-datapipe-index-dl3", vars(options), log=options.provenance_log) as activity:
        for path in index_folder(options.folder):
            activity.generated(path, "index")
            sys.stdout.write(f"{path}\n")
