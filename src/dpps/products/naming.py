"""Logical file names of derived and simulated products (contracts page, "Names")."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dpps.domain.errors import InvalidInput
from dpps.domain.names import Lfn

if TYPE_CHECKING:
    from ctao_datamodel.models.dataproducts import Product

__all__ = ["product_lfn"]

_SCOPE = "dpps"
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9._+=@,~-]+")
_SUFFIX = re.compile(r"(\.[A-Za-z0-9]+)+")


def product_lfn(product: Product, *, vo: str, pass_number: int, suffix: str) -> Lfn:
    """Return the name of a derived or simulated product.

    ``/<vo>/dpps/`` + the folders that ``ctao_datamodel`` gives the product + ``p<pass>`` + its file name.
    The pass is the last folder, so each pass fills datasets of its own and no name is ever used twice.

    Parameters
    ----------
    product : Product
        Metadata; ``curation.release`` and ``instance.site_id`` must be set, they become folders.
    vo : str
        Virtual organisation.
    pass_number : int
        1 for the first processing, one more for each reprocessing.
    suffix : str
        End of the file name with its dot, such as ``.h5`` or ``.simtel.zst``.

    Raises
    ------
    InvalidInput
        When something that the name needs is missing or cannot stand in a name.
    """
    from ctao_datamodel.models.dataproducts.utils import dpps_filename, dpps_lfn

    if not product.curation.release or product.instance.site_id is None:
        raise _unnamed("curation__release and instance__site_id must be set")
    if not 1 <= pass_number <= 999:
        raise _unnamed(f"the pass {pass_number} is not between 1 and 999")
    if not _SUFFIX.fullmatch(suffix):
        raise _unnamed(f"the suffix {suffix!r} is not like '.h5'")
    folder = dpps_lfn(product, base="", include_filename=False)
    parts = [*folder.parts, f"p{pass_number:03d}", dpps_filename(product, suffix=suffix)]
    return Lfn("/" + "/".join([vo, _SCOPE, *(_NOT_PLAIN.sub("-", part) for part in parts)]))


def _unnamed(why: str) -> InvalidInput:
    return InvalidInput(
        f"the product cannot be named: {why}",
        code="product-unnamed",
        next_step="complete the product's metadata",
    )
