"""Headers of event lists: GADF 0.3 as the observatory's data model writes it, and its product metadata."""

import uuid
import warnings
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from dpps_datapipe import __version__
from dpps_datapipe.dl3.intervals import Floats
from dpps_datapipe.dl3.observation import Observation

__all__ = [
    "CREATOR",
    "events_header",
    "hdu_header",
    "index_product",
    "instrument_header",
    "product_header",
    "time_header",
]

CREATOR = f"dpps-datapipe {__version__}"
_DOCUMENTATION = "https://gamma-astro-data-formats.readthedocs.io/en/v0.3/"
_MODEL = {"name": "gadf", "version": "0.3", "url": _DOCUMENTATION}
#: Field of view as a catalogue states it, degrees.
_FIELD_OF_VIEW_DEG = 10.0


def _facility(simulated: bool) -> str:
    return "Simulated-CTAO" if simulated else "CTAO"


def _header_of(model: Any) -> Any:
    """Write a model of the observatory as a header; its descriptions are longer than FITS comments."""
    from astropy.io.fits import Header
    from astropy.io.fits.verify import VerifyWarning
    from ctao_datamodel import instance_to_fits_header

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", VerifyWarning)
        # The model keeps its time scale as text where it announces an enumeration.
        warnings.filterwarnings("ignore", message="Pydantic serializer warnings")
        return Header.fromstring(instance_to_fits_header(model).tostring())


def hdu_header(*classes: str) -> Any:
    """Give the keywords that say what an HDU is (HDUCLAS1, HDUCLAS2 and so on)."""
    from astropy.io.fits import Header

    header = Header()
    header["HDUCLASS"] = "GADF"
    header["HDUDOC"] = _DOCUMENTATION
    header["HDUVERS"] = "0.3"
    for number, word in enumerate(classes, start=1):
        header[f"HDUCLAS{number}"] = word
    header["CREATOR"] = CREATOR
    return header


def time_header(observation: Observation) -> Any:
    """Give the keywords of the time reference."""
    from astropy.io.fits import Header

    header = Header()
    integer, fraction = observation.clock.reference_mjd
    header["MJDREFI"] = (integer, "[d] reference, integer part")
    header["MJDREFF"] = (fraction, "[d] reference, fraction")
    header["TIMEUNIT"] = "s"
    header["TIMESYS"] = (observation.clock.scale.upper(), "time scale")
    header["TIMEREF"] = "LOCAL"
    header["TREFPOS"] = "TOPOCENTER"
    return header


def instrument_header(observation: Observation) -> Any:
    """Give the keywords of the instrument, with the identifier of the observation block."""
    from astropy.io.fits import Header

    header = Header()
    header["TELESCOP"] = (_facility(observation.simulated), "observatory")
    if observation.site is not None:
        header["INSTRUME"] = (observation.site, "array site")
    header["OBS_ID"] = (observation.obs_id, "observation block")
    return header


def _events_model(observation: Observation) -> Any:
    """Describe the events with the observatory's data model, which checks the values."""
    from ctao_datamodel.models.dl3 import ctao_gadf

    track, middle = observation.pointing, observation.pointing.middle
    location = observation.location.geodetic
    integer, fraction = observation.clock.reference_mjd
    return ctao_gadf.GADFEventsHeader.model_validate(
        {
            "hdu": {"format": "GADF", "version": "0.3", "category": "EVENTS", "creator": CREATOR},
            "instrument": {
                "facility_name": _facility(observation.simulated),
                "site_id": observation.site,
            },
            "observation": {
                "ra": f"{track.ra[middle]} deg",
                "dec": f"{track.dec[middle]} deg",
                "alt": f"{track.altitude[middle]} deg",
                "az": f"{track.azimuth[middle]} deg",
                "frame": "ICRS",
                "obs_mode": "POINTING" if track.follows_sky else "DRIFT",
                "location": {
                    "longitude": f"{location.lon.deg} deg",
                    "latitude": f"{location.lat.deg} deg",
                    "height": f"{location.height.to_value('m')} m",
                },
                "time_reference": {
                    "position": "TOPOCENTER",
                    "unit": "s",
                    "system": observation.clock.scale.upper(),
                    "time_mjd_integer": f"{integer} d",
                    "time_mjd_fraction": f"{fraction} d",
                },
                "t_min": f"{observation.span[0]!r} s",
                "t_max": f"{observation.span[1]!r} s",
                "ontime": f"{observation.good_seconds!r} s",
                "livetime": f"{observation.good_seconds * observation.live_fraction!r} s",
                "deadtime_correction": observation.live_fraction,
            },
            "tel_list": ",".join(map(str, observation.telescopes)),
            "n_tels": len(observation.telescopes),
            "event_class": observation.notes.event_class,
        }
    )


def events_header(observation: Observation) -> Any:
    """Give the header of the events.

    Parameters
    ----------
    observation : Observation
        The observation.

    Returns
    -------
    astropy.io.fits.Header
    """
    header = _header_of(_events_model(observation))
    header["HDUDOC"] = _DOCUMENTATION
    header.update(time_header(observation))
    header["OBS_ID"] = observation.obs_id
    header["EQUINOX"] = 2000.0
    header["ORIGIN"] = "CTAO"
    start, stop = (observation.clock.times(second) for second in observation.span)
    header["DATE-OBS"], header["TIME-OBS"] = start.isot.split("T")
    header["DATE-END"], header["TIME-END"] = stop.isot.split("T")
    header["TELAPSE"] = (observation.span[1] - observation.span[0], "[s] from start to stop")
    header["EUNIT"] = "TeV"
    header["QUALITY"] = (observation.notes.quality, "-1 unknown, 0 best, 1 medium, 2 bad")
    if observation.dead_time_assumed:
        header["DEADASSU"] = (True, "the dead time is not known: none is assumed")
    model = observation.notes.instrument_model
    if model is not None:
        header["INSTMOD"] = (model.version, "version of the instrument model")
        # A checksum leaves no room for a comment.
        header["INSTSHA"] = model.sha256
    target = observation.notes.target
    if target is not None:
        header["OBJECT"] = target.name
        header["RA_OBJ"] = (target.ra_deg, "[deg] target")
        header["DEC_OBJ"] = (target.dec_deg, "[deg] target")
    return header


def _curation(observation: Observation) -> dict[str, object]:
    rights = observation.notes.rights
    if rights is None:
        return {}
    said = {
        "rights": rights.rights,
        "release": rights.release,
        "license": rights.license,
        "release_date": rights.public_from,
    }
    return {name: value for name, value in said.items() if value is not None}


def _product(title: str, kind: str, content: dict[str, Any]) -> Any:
    """Make the product metadata that every file of the observatory has."""
    from astropy.time import Time
    from ctao_datamodel.models import dataproducts

    level, division, association, name = kind.split("/")
    product = dataproducts.Product.model_validate(
        {
            "description": title,
            "data": {"level": level, "division": division, "association": association, "type": name},
            "model": _MODEL,
            "creation_time": Time(datetime.now(UTC).replace(tzinfo=None)),
            "contact": {"name": "DPPS", "organization": "CTAO", "email": "dpps@example.org"},
            **content,
        }
    )
    return _header_of(product)


def _swing_deg(azimuth: Floats) -> float:
    """Width of the range of azimuth, also across north."""
    unwrapped = np.unwrap(azimuth, period=360.0)
    return min(360.0, float(np.ptp(unwrapped)))


def product_header(observation: Observation, *, inputs: Sequence[tuple[str, str]], configuration: str) -> Any:
    """Give the product metadata of an event list.

    Parameters
    ----------
    observation : Observation
        The observation.
    inputs : sequence of tuple of str
        Role and checksum (SHA-256) of the files that were read.
    configuration : str
        Identifier of the options.

    Returns
    -------
    astropy.io.fits.Header
    """
    from astropy.time import Time

    track, middle = observation.pointing, observation.pointing.middle
    start, stop = (observation.clock.times(second).utc for second in observation.span)
    kind = "ObservationSim" if observation.simulated else "Observation"
    now = Time(datetime.now(UTC).replace(tzinfo=None))
    target = observation.notes.target
    header = _product(
        f"Event list of observation block {observation.obs_id}",
        f"DL3/Event/Subarray/{kind}",
        {
            "instance": {
                "id": uuid.uuid4(),
                "obs_id": observation.obs_id,
                "facility_name": _facility(observation.simulated),
                "site_id": observation.site,
                "target_id": None if target is None else target.name,
                "messenger": "photon",
            },
            "curation": _curation(observation),
            "activity": {
                "process": "data_processing",
                "name": "make-dl3",
                "id": uuid.uuid4(),
                "start": now,
                "software": {"name": "dpps-datapipe", "version": __version__},
                "configuration_id": f"sha256:{configuration}",
            },
            "observation": {
                "coverage": {
                    "time": {"t_min": start, "t_max": stop},
                    "space": {
                        "ra": f"{track.ra[middle]} deg",
                        "dec": f"{track.dec[middle]} deg",
                        "field_of_view": f"{_FIELD_OF_VIEW_DEG} deg",
                    },
                    "energy": {
                        "energy_min": f"{observation.events.energy.min()} TeV",
                        "energy_max": f"{observation.events.energy.max()} TeV",
                    },
                    "tracking": {
                        "elevation_min": f"{track.altitude.min()} deg",
                        "elevation_max": f"{track.altitude.max()} deg",
                        "azimuth_mean": f"{track.azimuth[middle] % 360.0} deg",
                        "azimuth_range": f"{_swing_deg(track.azimuth)} deg",
                        "mode": "fixed_icrs" if track.follows_sky else "fixed_horizontal",
                    },
                }
            },
            "acquisition": {"sb_id": observation.sb_id},
        },
    )
    # The model has a list of inputs, but a header that holds one is not read back by it.
    for role, checksum in inputs:
        header["HISTORY"] = f"input {role} sha256:{checksum}"
    return header


def index_product(title: str, kind: str) -> Any:
    """Give the product metadata of an index file."""
    return _product(title, kind, {"instance": {"id": uuid.uuid4()}, "curation": {}})
