"""What several files of one question share, and services that may stay silent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

from dpps.data.sites import Hold, HoldKind, SiteParts
from dpps.data.transfers.lanes import is_named, storage_name
from dpps.data.transfers.service import ServiceBan, StorageRest
from dpps.data.why.observations import LinkFacts, Silence, SiteFacts
from dpps.domain.errors import NotFound, Unavailable

__all__ = ["AskedService", "Look"]


class AskedService:
    """A service without which most can be explained still.

    Once it was silent it is not asked again: each question would wait for its time to run out.

    Parameters
    ----------
    name : str
        As in ``dpps status``.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self.silence: Silence | None = None
        """Set once it did not answer."""

    def ask[T](self, question: Callable[[], T]) -> T | None:
        """Return its answer; None when it is silent, or does not know such questions."""
        if self.silence is not None:
            return None
        try:
            return question()
        except NotFound:
            return None
        except Unavailable as outage:
            self.silence = Silence(service=self._name, reason=outage.message)
            return None


class Look:
    """What several files of one question share, asked once and only when it matters.

    Parameters
    ----------
    sites : SiteParts
        Sites and the transfer service.
    """

    def __init__(self, sites: SiteParts) -> None:
        self._sites = sites
        self._facts: dict[str, SiteFacts] = {}
        self._distances: dict[tuple[str, str], int | None] = {}
        self.transfers = AskedService("transfers")
        self.ingest = AskedService("ingest")

    @property
    def silences(self) -> tuple[Silence, ...]:
        """Services that did not answer so far."""
        services = (self.transfers, self.ingest)
        return tuple(one.silence for one in services if one.silence is not None)

    @cached_property
    def holds(self) -> Sequence[Hold]:
        """Everything that operators hold back."""
        return self._sites.holds.holds()

    @cached_property
    def _rests(self) -> Sequence[StorageRest]:
        return self.transfers.ask(self._sites.transfers.own_rests) or []

    @cached_property
    def _bans(self) -> Sequence[ServiceBan]:
        return self.transfers.ask(self._sites.transfers.bans) or []

    def site(self, rse: str) -> SiteFacts:
        """Return how a site is."""
        if rse not in self._facts:
            (condition,) = self._sites.register.conditions([rse])
            storage = storage_name(condition.url_prefix)
            bans = (one.message for one in self._bans if is_named(one.storage, storage))
            rests = (one for one in self._rests if one.storage == storage)
            self._facts[rse] = SiteFacts(
                condition=condition,
                holds=tuple(one for one in self.holds if one.source == rse and one.kind is not HoldKind.LINK),
                rest=next(rests, None),
                ban=next(bans, None),
            )
        return self._facts[rse]

    def link(self, source: str, destination: str) -> LinkFacts:
        """Return whether the catalogue requests transfers on a link."""
        ends = (source, destination)
        if ends not in self._distances:
            self._distances[ends] = self._sites.register.distance(source, destination)
        return LinkFacts(source=source, distance=self._distances[ends], hold=self._hold(source, destination))

    def _hold(self, source: str, destination: str) -> Hold | None:
        wanted = (HoldKind.LINK, source, destination)
        found = (one for one in self.holds if (one.kind, one.source, one.destination) == wanted)
        return next(found, None)
