"""Which copy is the nearest."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dpps.data.ports import StorageElement
from dpps.domain.errors import InvalidInput
from dpps.domain.files import Replica, ReplicaState
from dpps.domain.sites import great_circle_km

__all__ = ["Nearness", "parse_nearness"]

_POSITION = re.compile(r"([+-]?\d+(?:\.\d+)?)\s*,\s*([+-]?\d+(?:\.\d+)?)")
_FAR_KM = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Nearness:
    """Order of storages, as seen from somewhere."""

    first: frozenset[str] = frozenset()
    """Storages that come before all others, because they were named."""
    distances_km: Mapping[str, float] = field(default_factory=dict)
    """Great-circle distances of those whose position is known."""

    def nearest_first(self, replicas: Sequence[Replica]) -> list[Replica]:
        """Return the copies that can be read now, the best first.

        Off-site copies come before on-site ones, which are not named: the on-site link is for raw data.
        """
        good = [replica for replica in replicas if replica.state is ReplicaState.AVAILABLE]
        return sorted(good, key=self._rank)

    def _rank(self, replica: Replica) -> tuple[bool, bool, float, str]:
        distance = self.distances_km.get(replica.rse, _FAR_KM)
        return (replica.rse not in self.first, replica.onsite, distance, replica.rse)


def parse_nearness(near: str | None, elements: Sequence[StorageElement]) -> Nearness:
    """Return the order of storages as seen from a storage, a site, a country or a position.

    Parameters
    ----------
    near : str, optional
        Name of an RSE, value of its attribute ``site``, ISO 3166 alpha-2 code of a country, or latitude and
        longitude in degrees such as ``52.3,13.6``. Without it, storages are in the order of their names.
    elements : sequence of StorageElement
        The storages that exist.

    Raises
    ------
    InvalidInput
        When it is none of these.
    """
    if near is None:
        return Nearness()
    position = _POSITION.fullmatch(near.strip())
    if position is not None:
        here = (float(position[1]), float(position[2]))
        if abs(here[0]) > 90 or abs(here[1]) > 360:
            raise _unknown(near, elements)
        return Nearness(distances_km=_distances(here, elements))
    named = [element for element in elements if near.casefold() in _names(element)]
    if not named:
        raise _unknown(near, elements)
    places = [place for place in map(_place, named) if place is not None]
    distances = _distances(places[0], elements) if places else {}
    return Nearness(first=frozenset(element.rse for element in named), distances_km=distances)


def _names(element: StorageElement) -> set[str]:
    told = (element.rse, element.attributes.get("site"), element.attributes.get("country"))
    return {name.casefold() for name in told if name}


def _place(element: StorageElement) -> tuple[float, float] | None:
    try:
        return float(element.attributes["latitude"]), float(element.attributes["longitude"])
    except (KeyError, ValueError):
        return None  # the catalogue does not know where it is: it comes last


def _distances(here: tuple[float, float], elements: Sequence[StorageElement]) -> dict[str, float]:
    places = {element.rse: _place(element) for element in elements}
    return {rse: great_circle_km(here, place) for rse, place in places.items() if place is not None}


def _unknown(near: str, elements: Sequence[StorageElement]) -> InvalidInput:
    countries = sorted({code for one in elements if (code := one.attributes.get("country"))})
    known = ", ".join([*(one.rse for one in elements), *countries])
    return InvalidInput(
        f"{near!r} is no storage, site, country or position",
        code="near-unknown",
        next_step=f"give one of {known}, or latitude,longitude in degrees",
        near=near,
    )
