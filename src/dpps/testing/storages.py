"""Storages as the catalogue of a new system describes them."""

from __future__ import annotations

from dpps.data.ports import StorageElement
from dpps.domain.sites import DEFAULT_SITES

__all__ = ["storage_element"]


def storage_element(rse: str, url_prefix: str, *, site: str | None = None) -> StorageElement:
    """Return a storage with the attributes by which the policy finds it.

    Parameters
    ----------
    rse : str
        Its name.
    url_prefix : str
        Where its files are.
    site : str, optional
        One of the default sites; that of the same name where not given.
    """
    place = next(one for one in DEFAULT_SITES if one.name == (site or rse))
    attributes = {
        "ONSITE" if place.onsite else "OFFSITE": "True",
        "site": place.name,
        "country": place.country,
        "latitude": str(place.latitude_deg),
        "longitude": str(place.longitude_deg),
    }
    return StorageElement(rse=rse, onsite=place.onsite, url_prefix=url_prefix, attributes=attributes)
