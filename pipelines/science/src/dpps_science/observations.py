"""Event lists (DL3, GADF): read, checked, and what they say of target, pointing and claimed range."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning

from dpps.domain.steps import ConfigurationError, CorruptedInput, InsufficientStatistics, MissingInput

__all__ = ["EventList", "Target", "common_target", "read_event_lists"]

_POINT_LIKE = "POINT-LIKE"
#: HDUCLAS2 or HDUCLAS1 of what a spectrum needs, and what people call it.
_NEEDED = {
    "EVENTS": "events",
    "GTI": "good time intervals",
    "EFF_AREA": "effective area",
    "EDISP": "energy dispersion",
}
#: Targets of one analysis may be written with so much difference.
_SAME_TARGET_DEG = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The source that is analysed (ICRS)."""

    name: str
    ra_deg: float
    dec_deg: float

    @property
    def position(self) -> SkyCoord:
        """Position on the sky."""
        return SkyCoord(self.ra_deg * u.deg, self.dec_deg * u.deg, frame="icrs")


@dataclass(frozen=True, slots=True, kw_only=True)
class EventList:
    """One event list with its responses.

    Attributes
    ----------
    path : pathlib.Path
        The file.
    observation : gammapy.data.Observation
        As Gammapy reads it.
    target : Target or None
        What the header names.
    live_seconds : float
        Live time.
    claimed_tev : tuple of float or None
        Range of energy that the effective area claims (``LO_THRES``, ``HI_THRES``), TeV.
    simulated : bool
        Whether the header says so.
    """

    path: Path
    observation: Any
    target: Target | None
    live_seconds: float
    claimed_tev: tuple[float, float] | None
    simulated: bool

    @property
    def pointing(self) -> SkyCoord:
        """Where the array pointed."""
        return self.observation.get_pointing_icrs(self.observation.tmid)

    @property
    def obs_id(self) -> int:
        """Observation block."""
        return int(self.observation.obs_id)


def _headers(path: Path) -> dict[str, Any]:
    """Read the headers by what their HDUs are; the data too, so that a truncated file is found here.

    Raises
    ------
    CorruptedInput
        When the file is damaged.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", AstropyUserWarning)
            # Opened here: astropy leaves a file open that it cannot read.
            with path.open("rb") as stream, fits.open(stream, memmap=False) as hdus:
                found: dict[str, Any] = {}
                for hdu in hdus[1:]:
                    if hdu.data is not None:
                        header = hdu.header
                        word = header.get("HDUCLAS2") if header.get("HDUCLAS1") == "RESPONSE" else None
                        found.setdefault(str(word or header.get("HDUCLAS1", hdu.name)), header)
                return found
    except (OSError, EOFError, TypeError, ValueError, AstropyUserWarning) as error:
        raise CorruptedInput(
            f"truncated or no FITS file: {error}", "compare its checksum and fetch it again", path=path
        ) from error


def _target(header: Any) -> Target | None:
    try:
        ra, dec = float(header["RA_OBJ"]), float(header["DEC_OBJ"])
    except (KeyError, TypeError, ValueError):
        return None
    return Target(name=str(header.get("OBJECT", "")) or "target", ra_deg=ra, dec_deg=dec)


def _claimed(header: Any) -> tuple[float, float] | None:
    low, high = header.get("LO_THRES"), header.get("HI_THRES")
    if not isinstance(low, int | float) or not isinstance(high, int | float) or not 0.0 < low < high:
        return None
    return float(low), float(high)


def _read(path: Path) -> EventList:
    from gammapy.data import Observation

    if not path.is_file():
        raise MissingInput("the file is not there", path=path)
    headers = _headers(path)
    missing = [what for word, what in _NEEDED.items() if word not in headers]
    area = headers.get("EFF_AREA")
    if area is not None and area.get("HDUCLAS3") == _POINT_LIKE:
        missing += [] if "RAD_MAX" in headers else ["cut in direction (RAD_MAX)"]
    elif not {"PSF", "RPSF"} & set(headers):
        missing.append("point spread function")
    if missing:
        raise MissingInput(f"no {', no '.join(missing)}", "make the event list with its responses", path=path)
    if headers["EVENTS"].get("NAXIS2", 0) == 0:
        raise InsufficientStatistics("it has no events", "look at its event selection", path=path)
    with warnings.catch_warnings():
        # Headers of other observatories keep dates and units in older styles, which Gammapy reads.
        warnings.simplefilter("ignore", AstropyUserWarning)
        try:
            observation = Observation.read(path)
            live = float(observation.observation_live_time_duration.to_value(u.s))
        except (KeyError, ValueError, TypeError, OSError, u.UnitsError) as error:
            raise CorruptedInput(f"Gammapy does not read it: {error}", path=path) from error
    if not np.isfinite(live) or live <= 0.0:
        raise InsufficientStatistics("it has no live time", "look at its good time intervals", path=path)
    header = headers["EVENTS"]
    return EventList(
        path=path,
        observation=observation,
        target=_target(header),
        live_seconds=live,
        claimed_tev=_claimed(headers["EFF_AREA"]),
        simulated="simul" in str(header.get("TELESCOP", "")).lower(),
    )


def read_event_lists(paths: Sequence[Path]) -> list[EventList]:
    """Read event lists and check that a spectrum can be made of them.

    Parameters
    ----------
    paths : sequence of pathlib.Path
        FITS files with events, good time intervals and responses in one file each.

    Returns
    -------
    list of EventList
        In the order given.

    Raises
    ------
    MissingInput
        A file or a part of it is not there.
    CorruptedInput
        A file is truncated or is no event list.
    InsufficientStatistics
        A file has no events or no live time.
    ConfigurationError
        No file, or an observation is given twice.
    """
    if not paths:
        raise ConfigurationError("no event list is given", "give at least one file with --dl3")
    read = [_read(path) for path in paths]
    seen: dict[int, Path] = {}
    for one in read:
        if one.obs_id in seen:
            raise ConfigurationError(
                f"observation {one.obs_id} is that of {seen[one.obs_id]} too",
                "give each observation once: events that count twice falsify errors",
                path=one.path,
            )
        seen[one.obs_id] = one.path
    return read


def common_target(lists: Sequence[EventList]) -> Target:
    """Return the target that all event lists name.

    Raises
    ------
    MissingInput
        A file names none.
    ConfigurationError
        They name different ones.
    """
    first = lists[0].target
    for one in lists:
        if one.target is None or first is None:
            raise MissingInput(
                "the header names no target (RA_OBJ, DEC_OBJ)",
                "give --target-ra and --target-dec",
                path=one.path,
            )
        apart = float(first.position.separation(one.target.position).deg)
        if apart > _SAME_TARGET_DEG:
            raise ConfigurationError(
                f"the target is {apart:.3f} deg away from that of {lists[0].path}",
                "analyse targets one by one, or give --target-ra and --target-dec",
                path=one.path,
            )
    assert first is not None  # noqa: S101 # the loop has looked at it
    return first
