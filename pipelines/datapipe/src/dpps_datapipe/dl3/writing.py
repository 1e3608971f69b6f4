"""Write an event list (FITS)."""

from pathlib import Path
from typing import Any

import numpy as np

from dpps.domain.steps import StorageError
from dpps_datapipe.dl3.headers import events_header, hdu_header, instrument_header, time_header
from dpps_datapipe.dl3.observation import Observation
from dpps_datapipe.outputs import written_aside

__all__ = ["event_list_hdus", "write_event_list"]


def _column(name: str, form: str, values: Any, unit: str | None = None) -> Any:
    from astropy.io import fits

    return fits.Column(name, form, unit=unit, array=values)


def _events(observation: Observation) -> Any:
    from astropy.coordinates import SkyCoord
    from astropy.io import fits

    events = observation.events
    galactic = SkyCoord(observation.ra, observation.dec, unit="deg").galactic
    columns = [
        _column("EVENT_ID", "K", events.event_id),
        _column("TIME", "D", observation.seconds, "s"),
        _column("RA", "E", observation.ra, "deg"),
        _column("DEC", "E", observation.dec, "deg"),
        _column("ENERGY", "E", events.energy, "TeV"),
        _column("MULTIP", "I", events.multiplicity),
        _column("GLON", "E", galactic.l.deg, "deg"),
        _column("GLAT", "E", galactic.b.deg, "deg"),
        _column("ALT", "E", events.altitude, "deg"),
        _column("AZ", "E", events.azimuth, "deg"),
        _column("GAMMANESS", "E", events.gammaness),
        _column("COREX", "E", events.core_x, "m"),
        _column("COREY", "E", events.core_y, "m"),
    ]
    return fits.BinTableHDU.from_columns(columns, header=events_header(observation), name="EVENTS")


def _good_times(observation: Observation) -> Any:
    from astropy.io import fits

    starts, stops = np.array(observation.good_intervals).T
    header = hdu_header("GTI")
    header.update(time_header(observation))
    header.update(instrument_header(observation))
    columns = [_column("START", "D", starts, "s"), _column("STOP", "D", stops, "s")]
    hdu = fits.BinTableHDU.from_columns(columns, header=header, name="GTI")
    for hole in observation.notes.pauses:
        hdu.header["HISTORY"] = f"pause {hole.start.isoformat()} {hole.stop.isoformat()} {hole.reason}"
    for hole in observation.notes.bad_intervals:
        hdu.header["HISTORY"] = f"quality {hole.start.isoformat()} {hole.stop.isoformat()} {hole.reason}"
    return hdu


def _pointing(observation: Observation) -> Any:
    from astropy.io import fits

    track = observation.pointing
    header = hdu_header("POINTING")
    header.update(time_header(observation))
    header.update(instrument_header(observation))
    location = observation.location.geodetic
    header["GEOLON"] = (location.lon.deg, "[deg] longitude, east positive")
    header["GEOLAT"] = (location.lat.deg, "[deg] latitude")
    header["ALTITUDE"] = (location.height.to_value("m"), "[m] above sea level")
    columns = [
        _column("TIME", "D", track.seconds, "s"),
        _column("RA_PNT", "D", track.ra, "deg"),
        _column("DEC_PNT", "D", track.dec, "deg"),
        _column("ALT_PNT", "D", track.altitude, "deg"),
        _column("AZ_PNT", "D", track.azimuth, "deg"),
    ]
    return fits.BinTableHDU.from_columns(columns, header=header, name="POINTING")


def event_list_hdus(observation: Observation) -> list[Any]:
    """Give events, good time intervals and pointing as HDUs."""
    return [_events(observation), _good_times(observation), _pointing(observation)]


def write_event_list(path: Path, product: Any, hdus: list[Any]) -> None:
    """Write the file in one go: it is there complete, or not at all.

    Parameters
    ----------
    path : pathlib.Path
        New file; a name that ends with ``.gz`` is compressed.
    product : astropy.io.fits.Header
        Product metadata, for the primary HDU.
    hdus : list of astropy.io.fits.BinTableHDU
        The content.

    Raises
    ------
    StorageError
        If it cannot be written.
    """
    from astropy.io import fits

    with written_aside([path]) as names:
        try:
            fits.HDUList([fits.PrimaryHDU(header=product), *hdus]).writeto(names[path], checksum=True)
        except OSError as error:
            raise StorageError(f"cannot be written: {error}", path=path) from error
