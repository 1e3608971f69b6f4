"""Data-product metadata of toy files, as FITS header cards."""

import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from dpps_simpipe import __version__
from dpps_simpipe.toy.observation import LABEL, ToyObservation

if TYPE_CHECKING:
    from astropy.io.fits import Header

__all__ = ["StreamIdentity", "product_header"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamIdentity:
    """What one file of an observation holds."""

    #: Telescope, or None for a stream of the subarray.
    tel_id: int | None
    #: Word of the data model for the kind of content (`DataType`).
    data_type: str
    title: str


def _deterministic_uuid(observation: ToyObservation, identity: StreamIdentity) -> uuid.UUID:
    """Give a random-looking identifier that depends on seed and stream only."""
    words = (observation.obs_id, identity.tel_id or 0, *identity.title.encode())
    bits = np.random.default_rng([observation.seed, *words]).bytes(16)
    return uuid.UUID(bytes=bits, version=4)


def product_header(observation: ToyObservation, identity: StreamIdentity) -> "Header":
    """Describe a stream with the keywords of the observatory's data model.

    The pointing is in the tracking keywords (``ALT_MIN``, ``ALT_MAX``,
    ``AZ_MEAN``, ``AZ_RANGE`` in degrees, ``TRACKING``).

    Parameters
    ----------
    observation : ToyObservation
        The observation block.
    identity : StreamIdentity
        The stream.

    Returns
    -------
    astropy.io.fits.Header
    """
    import ctao_datamodel.models.dataproducts as products
    from astropy.time import Time
    from ctao_datamodel import instance_to_fits_header

    start = Time(observation.start)
    stop = Time(observation.start + timedelta(seconds=observation.duration_seconds))
    product = products.Product.model_validate(
        {
            "description": identity.title,
            "data": {
                "level": "DL0",
                "division": "Event",
                "association": "Subarray" if identity.tel_id is None else "Telescope",
                "type": identity.data_type,
            },
            "instance": {
                "id": _deterministic_uuid(observation, identity),
                "obs_id": observation.obs_id,
                "ae_id": identity.tel_id,
                "ae_class": None if identity.tel_id is None else "TEL",
                "subarray_id": observation.subarray_id,
                "chunk_id": 0,
                "observing_night": observation.start.date(),
                "facility_name": "Simulated-CTAO",
                "site_id": "CTAO-North",
            },
            "curation": {},
            "model": {"name": "ctao", "version": "1.0.0", "url": "https://www.ctao.org"},
            "creation_time": stop,
            "contact": {
                "name": f"{LABEL} maker of dpps-simpipe {__version__}",
                "organization": LABEL,
                "email": "toy@example.org",
            },
            "observation": {
                "coverage": {
                    "time": {"t_min": start, "t_max": stop},
                    "tracking": {
                        "elevation_min": f"{observation.pointing_altitude_deg} deg",
                        "elevation_max": f"{observation.pointing_altitude_deg} deg",
                        "azimuth_mean": f"{observation.pointing_azimuth_deg} deg",
                        "azimuth_range": "0 deg",
                        "mode": "fixed_horizontal",
                    },
                }
            },
            "acquisition": {"sb_id": observation.sb_id},
        }
    )
    return instance_to_fits_header(product)
