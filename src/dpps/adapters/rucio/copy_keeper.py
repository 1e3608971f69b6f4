"""Rules in Rucio that hold single copies where they are."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from dpps.adapters.rucio.errors import catalogue_errors
from dpps.domain.errors import DppsError, Unavailable
from dpps.domain.names import Lfn

__all__ = ["RucioCopyKeeper"]

_MARK = "dpps-taken-back"
"""Key of the rule's metadata by which we know our rules again."""
_COMMENT = "taken back: the proof of the other copies has lapsed"


class RucioCopyKeeper:
    """Implements ``CopyKeeper``: one rule a file, for one copy at one storage, without end.

    Should the bytes be gone already, the rule copies them from elsewhere: there are too few copies then.

    Parameters
    ----------
    client : rucio.client.Client
        A connected client of an account that may make rules for all files.
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    def keep(self, rse: str, lfns: Sequence[Lfn]) -> Mapping[Lfn, str]:
        """Take copies back; return the files of which none is held, with the reason."""
        refused: dict[Lfn, str] = {}
        for lfn in lfns:
            try:
                self._keep(rse, lfn)
            except Unavailable:
                raise
            except DppsError as error:  # a refusal of one file must not leave the others without a rule
                refused[lfn] = error.message
        return refused

    def _keep(self, rse: str, lfn: Lfn) -> None:
        from rucio.common.exception import DuplicateRule

        with catalogue_errors(f"take the copy of {lfn} at {rse} back"):
            try:
                self._add(rse, lfn)
            except DuplicateRule:
                if not self._renew(rse, lfn):
                    self._add(rse, lfn)

    def _renew(self, rse: str, lfn: Lfn) -> bool:
        """Let a rule that may be about to end stay; False when it has just ended."""
        from rucio.common.exception import RuleNotFound

        renewed = False
        for rule in self._ours(rse, lfn):
            with suppress(RuleNotFound):
                self._client.update_replication_rule(rule["id"], {"lifetime": None})
                renewed = True
        return renewed

    def _add(self, rse: str, lfn: Lfn) -> None:
        self._client.add_replication_rule(
            [{"scope": lfn.scope, "name": lfn.name}],
            1,
            rse,
            comment=_COMMENT,
            meta=json.dumps({_MARK: rse}),
            ignore_availability=True,  # a storage that takes nothing new shall keep what it has
        )

    def let_go(self, rse: str, lfns: Sequence[Lfn]) -> list[Lfn]:
        """End what `keep` began; return the files of which a copy was held. The rules end a moment later."""
        from rucio.common.exception import RuleNotFound

        held: list[Lfn] = []
        for lfn in lfns:
            with catalogue_errors(f"let the copy of {lfn} at {rse} go"):
                rules = self._ours(rse, lfn)
                for rule in rules:
                    with suppress(RuleNotFound):
                        self._client.update_replication_rule(rule["id"], {"lifetime": -1})
            held += [lfn] if rules else []
        return held

    def _ours(self, rse: str, lfn: Lfn) -> list[Mapping[str, Any]]:
        return [
            rule
            for rule in self._client.list_did_rules(lfn.scope, lfn.name)
            if rule["account"] == self._client.account
            and (rule["copies"], rule["rse_expression"]) == (1, rse)
            and _MARK in (rule.get("meta") or "")
        ]
