"""Rules in Rucio that hold single copies where they are."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import batched
from typing import Any, Final

from dpps.adapters.rucio.errors import catalogue_errors
from dpps.domain.errors import DppsError, Unavailable
from dpps.domain.names import Lfn

__all__ = ["RucioCopyKeeper"]

_CHUNK: Final = 100
"""Files in one call: the catalogue makes their rules while we wait."""
_MARK = "dpps-taken-back"
"""Key of the rule's metadata by which we know our rules again."""
_COMMENT = "taken back: the proof of the other copies has lapsed"
"""Of the rule; the catalogue finds rules by it."""


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
        with catalogue_errors(f"look which of {len(lfns)} copies at {rse} are held"):
            ours = self._ours(rse, lfns)
        for chunk in batched(lfns, _CHUNK):
            with catalogue_errors(f"take {len(chunk)} copies at {rse} back"):
                held = self._renewed({lfn: ours[lfn] for lfn in chunk if lfn in ours})
            refused |= self._added(rse, [lfn for lfn in chunk if lfn not in held])
        return refused

    def _added(self, rse: str, lfns: Sequence[Lfn]) -> dict[Lfn, str]:
        """Make rules, all in one call or none; return the files that are refused one, with the reason."""
        try:
            if lfns:
                self._add(rse, lfns)
        except Unavailable:
            raise
        except DppsError as error:
            if len(lfns) == 1:
                return {lfns[0]: error.message}
            # A refusal of one file must not leave the others without a rule.
            middle = len(lfns) // 2
            return self._added(rse, lfns[:middle]) | self._added(rse, lfns[middle:])
        return {}

    def _add(self, rse: str, lfns: Sequence[Lfn]) -> None:
        from rucio.common.exception import DuplicateRule

        what = f"the copy of {lfns[0]}" if len(lfns) == 1 else f"{len(lfns)} copies"
        with catalogue_errors(f"take {what} at {rse} back"):
            try:
                self._make_rules(rse, lfns)
            except DuplicateRule:
                if len(lfns) > 1:
                    raise
                # It was made since we looked, or has ended in this moment.
                if not self._renewed(self._ours(rse, lfns)):
                    self._make_rules(rse, lfns)

    def _make_rules(self, rse: str, lfns: Sequence[Lfn]) -> None:
        self._client.add_replication_rule(
            [{"scope": lfn.scope, "name": lfn.name} for lfn in lfns],
            1,
            rse,
            comment=_COMMENT,
            meta=json.dumps({_MARK: rse}),
            ignore_availability=True,  # a storage that takes nothing new shall keep what it has
        )

    def _renewed(self, ours: Mapping[Lfn, Sequence[Mapping[str, Any]]]) -> set[Lfn]:
        """Let rules that may be about to end stay; return the files of which one is left.

        Of each that is about to end the catalogue is asked: it changes no two in one call.
        """
        from rucio.common.exception import RuleNotFound

        held: set[Lfn] = set()
        for lfn, rules in ours.items():
            for rule in rules:
                with suppress(RuleNotFound):
                    if rule["expires_at"] is not None:
                        self._client.update_replication_rule(rule["id"], {"lifetime": None})
                    held.add(lfn)
        return held

    def let_go(self, rse: str, lfns: Sequence[Lfn]) -> list[Lfn]:
        """End what `keep` began; return the files of which a copy was held. The rules end a moment later.

        One call for each that is held: the catalogue ends no two in one.
        """
        from rucio.common.exception import RuleNotFound

        with catalogue_errors(f"let {len(lfns)} copies at {rse} go"):
            ours = self._ours(rse, lfns)
            for rule in (one for rules in ours.values() for one in rules):
                with suppress(RuleNotFound):
                    self._client.update_replication_rule(rule["id"], {"lifetime": -1})
        return [lfn for lfn in lfns if lfn in ours]

    def _ours(self, rse: str, lfns: Sequence[Lfn]) -> dict[Lfn, list[Mapping[str, Any]]]:
        """Return our rules for copies of these files, by file; those without are left out.

        Of several files all our rules at the storage are listed, once: the catalogue finds no list of names.
        """
        filters = {"account": self._client.account, "rse_expression": rse, "comments": _COMMENT}
        if len(lfns) == 1:
            filters |= {"scope": lfns[0].scope, "name": lfns[0].name}
        asked = {lfn.name: lfn for lfn in lfns}
        ours: dict[Lfn, list[Mapping[str, Any]]] = {}
        for rule in self._client.list_replication_rules(filters):
            if rule["name"] in asked and rule["copies"] == 1 and _MARK in (rule.get("meta") or ""):
                ours.setdefault(asked[rule["name"]], []).append(rule)
        return ours
