"""Data-product metadata of streams, as FITS header cards."""

import uuid
from typing import TYPE_CHECKING

import numpy as np

from dpps_simpipe.streams.block import StreamBlock, StreamIdentity, Tracking

if TYPE_CHECKING:
    from astropy.io.fits import Header

__all__ = ["product_header"]


def _deterministic_uuid(block: StreamBlock, identity: StreamIdentity) -> uuid.UUID:
    """Give a random-looking identifier that depends on seed and stream only."""
    words = (block.obs_id, identity.tel_id or 0, identity.chunk, *identity.title.encode())
    bits = np.random.default_rng([block.seed, *words]).bytes(16)
    return uuid.UUID(bytes=bits, version=4)


def _pointing(tracking: Tracking) -> dict[str, object]:
    """Give the pointing in the words of the data model."""
    horizontal = {
        "elevation_min": f"{tracking.altitude_min_deg} deg",
        "elevation_max": f"{tracking.altitude_max_deg} deg",
        "azimuth_mean": f"{tracking.azimuth_mean_deg} deg",
        "azimuth_range": f"{tracking.azimuth_range_deg} deg",
        "mode": tracking.mode,
    }
    if tracking.ra_deg is None:
        return {"tracking": horizontal}
    sky = {
        "frame": "ICRS",
        "ra": f"{tracking.ra_deg} deg",
        "dec": f"{tracking.dec_deg} deg",
        "field_of_view": f"{tracking.field_of_view_deg} deg",
    }
    return {"tracking": horizontal, "space": sky}


def product_header(block: StreamBlock, identity: StreamIdentity) -> "Header":
    """Describe a stream with the keywords of the observatory's data model.

    The pointing is in the tracking keywords (``ALT_MIN``, ``ALT_MAX``,
    ``AZ_MEAN``, ``AZ_RANGE`` in degrees, ``TRACKING``); a direction on the sky
    in ``RA_PNT`` and ``DEC_PNT`` (ICRS, degrees).

    Parameters
    ----------
    block : StreamBlock
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

    start = Time(block.start)
    stop = Time(block.end)
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
                "id": _deterministic_uuid(block, identity),
                "obs_id": block.obs_id,
                "ae_id": identity.tel_id,
                "ae_class": None if identity.tel_id is None else "TEL",
                "subarray_id": block.subarray_id,
                "chunk_id": identity.chunk,
                "observing_night": block.start.date(),
                "facility_name": "Simulated-CTAO",
                "site_id": block.site,
            },
            "curation": {},
            "model": {"name": "ctao", "version": "1.0.0", "url": "https://www.ctao.org"},
            "creation_time": stop,
            "contact": {
                "name": block.maker,
                "organization": block.origin,
                "email": block.email,
            },
            "observation": {
                "coverage": {"time": {"t_min": start, "t_max": stop}, **_pointing(block.tracking)}
            },
            "acquisition": {"sb_id": block.sb_id},
        }
    )
    return instance_to_fits_header(product)
