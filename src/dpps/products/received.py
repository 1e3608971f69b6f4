"""Names and full metadata of files that others hand over: raw streams and sim_telarray output."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from dpps.domain.errors import InvalidInput
from dpps.domain.files import MetadataValue
from dpps.domain.names import Lfn
from dpps.products.derivation import CONTACT, product_id
from dpps.products.metadata import flatten_product, unflatten_product, validate_metadata
from dpps.products.naming import product_lfn

__all__ = ["ARRAY_SITES", "ReceivedProduct", "array_site_of", "describe_raw", "describe_simulated"]

ARRAY_SITES = ("CTAO-North", "CTAO-South")
"""Where telescopes are; the first is assumed where nothing says which."""

_FILE_NAME = re.compile(
    r"(?:TEL|SUB|ACE)\d+_(?P<source>[A-Z]+\d+)_.*?(?:_CHUNK(?P<chunk>\d+))?(?:_[A-Z]+)?\.fits\.fz"
)
_NIGHT = re.compile(r"/(\d{4})/(\d{2})/(\d{2})/[^/]+$")
_HANDOVER_RELEASE = "SimPipe/handover"
_HANDOVER_PRODUCTION = "handover"
_DARK_NIGHT = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedProduct:
    """Name and description of a file that was handed over."""

    lfn: Lfn
    dataset: str
    """Name of the dataset: the folder of the LFN."""
    metadata: Mapping[str, MetadataValue]
    array_site: str
    """Where the telescopes are; decides which on-site storage takes the file."""


def array_site_of(path: str) -> str | None:
    """Return the array site that a component of a path names (``ctao-north``, ``ctao-south``)."""
    parts = path.lower().split("/")
    return next((site for site in ARRAY_SITES if site.lower() in parts), None)


def describe_raw(
    lfn: Lfn, found: Mapping[str, MetadataValue], *, array_site: str | None = None
) -> ReceivedProduct:
    """Complete what a raw stream says of itself by what its name says.

    Parameters
    ----------
    lfn : Lfn
        Name of the file, given by the telescopes' software.
    found : mapping
        Flat metadata from inside the file; they count before the name.
    array_site : str, optional
        Array site, where neither file nor name tell.

    Raises
    ------
    InvalidInput
        When the result is no valid product.
    """
    flat: dict[str, MetadataValue] = {**CONTACT, "description": f"Raw data {lfn.basename}", **_from_name(lfn)}
    flat.update(found)
    site, assumed = _site(found, lfn.name, array_site)
    flat["instance__site_id"] = site
    flat["instance__id"] = found.get("instance__id", str(product_id(lfn)))
    if assumed:
        flat["dpps__assumed"] = ["instance__site_id"]
    return ReceivedProduct(lfn=lfn, dataset=lfn.parent, metadata=validate_metadata(flat), array_site=site)


def describe_simulated(
    found: Mapping[str, MetadataValue], *, path: str, vo: str, suffix: str, array_site: str | None = None
) -> ReceivedProduct:
    """Name a sim_telarray file and complete its metadata.

    The run number becomes ``obs_id``. What the file does not say and has to be assumed (the sky: the
    standard dark night; the array site, unless the path or the caller tell) is listed in ``dpps__assumed``.

    Parameters
    ----------
    found : mapping
        Flat metadata from inside the file.
    path : str
        Path below the hand-over folder; a component may name the array site.
    vo : str
        Virtual organisation.
    suffix : str
        End of the file name, e.g. ``.simtel.zst``.
    array_site : str, optional
        Array site, where the path does not tell.

    Raises
    ------
    InvalidInput
        When the result is no valid product.
    """
    site, site_assumed = _site(found, path, array_site)
    assumed = ["instance__site_id"] if site_assumed else []
    flat: dict[str, MetadataValue] = {
        **CONTACT,
        "curation__release": _HANDOVER_RELEASE,
        "simulation__production_name": _HANDOVER_PRODUCTION,
        **found,
        "instance__site_id": site,
    }
    if "simulation__node__zenith" in flat and "simulation__node__nsb_factor" not in flat:
        flat["simulation__node__nsb_factor"] = _DARK_NIGHT
        assumed.append("simulation__node__nsb_factor")
    flat["dpps__pass"] = 1
    flat["dpps__assumed"] = assumed or None
    checked = validate_metadata(flat)
    product = unflatten_product(checked)
    lfn = product_lfn(product, vo=vo, pass_number=1, suffix=suffix)
    product.instance.id = product_id(lfn)
    ours = {key: value for key, value in checked.items() if key.startswith("dpps__")}
    return ReceivedProduct(
        lfn=lfn, dataset=lfn.parent, metadata=flatten_product(product, ours), array_site=site
    )


def _site(found: Mapping[str, MetadataValue], path: str, array_site: str | None) -> tuple[str, bool]:
    if array_site is not None and array_site not in ARRAY_SITES:
        raise InvalidInput(
            f"{array_site!r} is no array site",
            code="array-site-unknown",
            next_step=f"give one of {', '.join(ARRAY_SITES)}",
            array_site=array_site,
        )
    told = found.get("instance__site_id") or array_site_of(path) or array_site
    return (str(told), False) if told else (ARRAY_SITES[0], True)


def _from_name(lfn: Lfn) -> dict[str, MetadataValue]:
    facts: dict[str, MetadataValue] = {}
    if (name := _FILE_NAME.fullmatch(lfn.basename)) is not None:
        facts["instance__data_source"] = name["source"]
        if name["chunk"] is not None:
            facts["instance__chunk_id"] = int(name["chunk"])
    if (night := _NIGHT.search(lfn.name)) is not None:
        facts["instance__observing_night"] = "-".join(night.groups())
    return facts
