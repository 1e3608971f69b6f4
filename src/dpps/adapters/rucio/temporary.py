"""Temporary files in Rucio: each file has a rule of its own, with a lifetime.

When the rule is over, Rucio lets go of the copies, deletes them, and forgets the file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import batched
from typing import Any

from dpps.adapters.rucio.errors import catalogue_errors
from dpps.domain.names import Lfn

__all__ = ["RucioTemporaryKeeper"]

_CHUNK = 500
_COMMENT = "temporary file"


class RucioTemporaryKeeper:
    """Rules of single files in the temporary scope.

    Parameters
    ----------
    client : rucio.client.Client
        A connected client of an account that may write the temporary scope.
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    def keep(self, lfns: Sequence[Lfn], rse: str, lifetime: timedelta) -> Mapping[Lfn, datetime]:
        """Keep registered files at one storage for a time from now, at least; return until when."""
        expiries: dict[Lfn, datetime] = {}
        for chunk in batched(lfns, _CHUNK):
            if self._add(chunk, rse, lifetime):
                expiries |= dict.fromkeys(chunk, datetime.now(UTC) + lifetime)
            else:
                expiries |= {lfn: self._keep_one(lfn, rse, lifetime) for lfn in chunk}
        return expiries

    def extend(self, lfns: Sequence[Lfn], lifetime: timedelta) -> Mapping[Lfn, datetime]:
        """Let files that are kept for a time go after another one; return until when each is kept."""
        expiries: dict[Lfn, datetime] = {}
        for lfn in lfns:
            for rule in self._rules(lfn):
                self._set_lifetime(rule, lifetime)
                expiries[lfn] = datetime.now(UTC) + lifetime
        return expiries

    def _add(self, lfns: Sequence[Lfn], rse: str, lifetime: timedelta) -> bool:
        """Make a rule for each file; False, and none, when one has such a rule already."""
        from rucio.common.exception import DuplicateRule

        dids = [{"scope": lfn.scope, "name": lfn.name} for lfn in lfns]
        seconds = round(lifetime.total_seconds())
        with catalogue_errors(f"keep {len(lfns)} temporary files at {rse}"):
            try:
                # Purged at its end: on-site storages keep what is not released expressly.
                self._client.add_replication_rule(
                    dids, 1, rse, lifetime=seconds, comment=_COMMENT, purge_replicas=True
                )
            except DuplicateRule:
                return False
        return True

    def _keep_one(self, lfn: Lfn, rse: str, lifetime: timedelta) -> datetime:
        until = datetime.now(UTC) + lifetime
        if self._add([lfn], rse, lifetime):
            return until
        for rule in self._rules(lfn):
            if rule["rse_expression"] == rse:
                if (known := _utc(rule["expires_at"])) >= until:
                    return known
                self._set_lifetime(rule, lifetime)
        return until

    def _rules(self, lfn: Lfn) -> list[Mapping[str, Any]]:
        """Return our rules of a file that have not ended."""
        with catalogue_errors(f"list the rules of {lfn}"):
            rules = list(self._client.list_did_rules(lfn.scope, lfn.name))
        now = datetime.now(UTC)
        return [
            rule
            for rule in rules
            if rule["account"] == self._client.account
            and rule["expires_at"] is not None
            and _utc(rule["expires_at"]) > now
        ]

    def _set_lifetime(self, rule: Mapping[str, Any], lifetime: timedelta) -> None:
        with catalogue_errors(f"keep {rule['name']} for {lifetime}"):
            self._client.update_replication_rule(rule["id"], {"lifetime": round(lifetime.total_seconds())})


def _utc(at: datetime) -> datetime:
    """Return a time of Rucio's, which is UTC and does not say so, with its zone."""
    return at.replace(tzinfo=UTC)
