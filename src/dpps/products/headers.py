"""Product metadata that the writers of FITS files put into headers (``CTAOMETA`` and its companions)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dpps.domain.errors import InvalidInput
from dpps.domain.files import MetadataValue

if TYPE_CHECKING:
    from astropy.io.fits import Header

__all__ = ["metadata_of_header"]

_TIMES = ("TSTART", "TSTOP", "CTAO OBSERVATION COVERAGE TIME T_MIN")
"""Keywords that say when the data were taken."""


def metadata_of_header(header: Header) -> dict[str, MetadataValue]:
    """Return the flat metadata that a header carries; empty when it has no ``CTAOMETA``.

    Raises
    ------
    InvalidInput
        When the header announces product metadata but they are not valid.
    """
    if "CTAOMETA" not in header:
        return {}
    import pydantic
    from ctao_datamodel import fits_header_to_instance
    from ctao_datamodel.models.dataproducts import Product

    from dpps.products.metadata import flatten_product

    told = header.copy()
    # The data model reads COMMENT as a disclaimer; libraries write references to the FITS standard there.
    told.remove("COMMENT", ignore_missing=True, remove_all=True)
    if not any(keyword in told for keyword in _TIMES):
        # Alone it would announce a coverage in time that lacks its beginning and end.
        told.remove("TIMESYS", ignore_missing=True)
    try:
        product = fits_header_to_instance(told, Product)
    except (pydantic.ValidationError, ValueError, TypeError, LookupError) as wrong:
        raise InvalidInput(
            f"the product keywords of the header are not valid: {wrong}",
            code="header-invalid",
            next_step="compare them with ctao_datamodel's Product",
        ) from wrong
    return flatten_product(product)
