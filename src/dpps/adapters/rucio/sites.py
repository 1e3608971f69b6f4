"""Storages and links in Rucio, as an operator sees and changes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dpps.adapters.rucio.errors import catalogue_errors
from dpps.adapters.rucio.reading import StorageTable
from dpps.data.sites import Availability, SiteCondition, WaitingRule

__all__ = ["RucioSiteRegister"]

_LOCK_OK = "OK"


class RucioSiteRegister:
    """Implements ``SiteRegister``.

    Parameters
    ----------
    client : rucio.client.Client
        Connected as an account that may change storages.
    rule_client : callable
        Gives a client whose account may change rules; asked when it is needed.
    """

    def __init__(self, client: Any, rule_client: Callable[[], Any]) -> None:
        self._client = client
        self._rule_client = rule_client
        self._storages = StorageTable(client)

    def conditions(self, rses: Sequence[str] | None = None) -> list[SiteCondition]:
        """Return storages, all by default, sorted by name."""
        names = sorted(self._storages.element(rse).rse for rse in rses) if rses is not None else None
        if names is None:
            names = [one.rse for one in self._storages.read()]
        return [self._condition(rse) for rse in names]

    def _condition(self, rse: str) -> SiteCondition:
        element = self._storages.element(rse)
        with catalogue_errors(f"look at {rse}"):
            facts = self._client.get_rse(rse)
            usage = {one["source"]: one for one in self._client.get_rse_usage(rse)}
        counted, measured = usage.get("rucio", {}), usage.get("storage", {})
        domains = [protocol["domains"].get("wan", {}) for protocol in facts.get("protocols", ())]
        return SiteCondition(
            rse=rse,
            onsite=element.onsite,
            url_prefix=element.url_prefix,
            availability=Availability(
                read=facts["availability_read"],
                write=facts["availability_write"],
                delete=facts["availability_delete"],
            ),
            attributes=element.attributes,
            copies_by_transfer=any(
                domain.get("third_party_copy_read") and domain.get("third_party_copy_write")
                for domain in domains
            ),
            files=counted.get("files") or 0,
            used_bytes=counted.get("used") or 0,
            free_bytes=measured.get("free"),
        )

    def set_availability(self, rse: str, availability: Availability) -> None:
        """Change what may be done with a storage."""
        values = {
            "availability_read": availability.read,
            "availability_write": availability.write,
            "availability_delete": availability.delete,
        }
        with catalogue_errors(f"change the availability of {rse}"):
            self._client.update_rse(rse, values)

    def distance(self, source: str, destination: str) -> int | None:
        """Return the distance of a link; None when nothing may move on it."""
        with catalogue_errors(f"read the distance from {source} to {destination}"):
            found = self._client.get_distance(source, destination)
        return found[0]["distance"] if found else None

    def set_distance(self, source: str, destination: str, distance: int | None) -> None:
        """Change the distance of a link; None: nothing moves on it."""
        with catalogue_errors(f"change the distance from {source} to {destination}"):
            if not self._client.get_distance(source, destination):
                if distance is not None:
                    self._client.add_distance(source, destination, {"distance": distance})
                return
            self._client.update_distance(source, destination, {"distance": distance})

    def waiting_rules(self, rse: str) -> list[WaitingRule]:
        """Return what is not complete at a storage yet."""
        with catalogue_errors(f"list what waits for {rse}"):
            locks = list(self._client.get_dataset_locks_by_rse(rse))
        return [
            WaitingRule(rule_id=one["rule_id"], dataset=one["name"], state=one["state"])
            for one in sorted(locks, key=lambda lock: (lock["name"], lock["rule_id"]))
            if one["state"] != _LOCK_OK
        ]

    def place_elsewhere(self, rule_ids: Sequence[str]) -> None:
        """Cancel the transfers of these rules and let the catalogue look for places again."""
        client = self._rule_client()
        for rule_id in rule_ids:
            with catalogue_errors(f"let the rule {rule_id} look for another place"):
                client.update_replication_rule(rule_id, {"cancel_requests": True, "state": "STUCK"})
