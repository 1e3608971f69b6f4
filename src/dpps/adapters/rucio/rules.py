"""Replication rules in Rucio, those of the preservation policy with its mark."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from dpps.adapters.rucio.errors import catalogue_errors
from dpps.data.ports import ReplicationRule, RuleState
from dpps.domain.names import Lfn

__all__ = ["RuleTable"]

_MARK = "dpps-policy"
"""Key of the rule's metadata under which the policy signs."""
_STATES = {
    "OK": RuleState.OK,
    "REPLICATING": RuleState.REPLICATING,
    "INJECT": RuleState.REPLICATING,
    "STUCK": RuleState.STUCK,
    "SUSPENDED": RuleState.SUSPENDED,
    "WAITING_APPROVAL": RuleState.SUSPENDED,
}


class RuleTable:
    """The rules of datasets.

    Parameters
    ----------
    client : rucio.client.Client
        A connected client.
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    def ensure(self, rule: ReplicationRule) -> str:
        """Make the rule unless an equal one of ours exists; return its id."""
        from rucio.common.exception import DuplicateRule

        known = [one for one in self.of_dataset(rule.dataset) if _is_equal(one, rule)]
        if known:
            self._bring_to_terms(known[0], rule)
            return known[0].rule_id
        with catalogue_errors(f"make {rule.copies} copies of {rule.dataset} at {rule.expression}"):
            try:
                return self._add(rule)
            except DuplicateRule as duplicate:
                return self._adopt(rule, duplicate)

    def _bring_to_terms(self, known: ReplicationRule, rule: ReplicationRule) -> None:
        """Give a rule of the policy back what Rucio or an earlier policy changed.

        To repair a damaged copy Rucio lets a rule copy from anywhere, and leaves it at that.
        """
        terms = {"source_replica_expression": rule.source_expression, "priority": rule.priority}
        differs = (known.source_expression, known.priority) != tuple(terms.values())
        changes: dict[str, object] = {}
        if known.state is RuleState.OK and differs:
            changes |= terms
        if _ends_too_early(known, rule):
            changes["lifetime"] = rule.lifetime_seconds
        if rule.kind is not None and changes:
            with catalogue_errors(f"change the rule {known.rule_id} of {rule.dataset}"):
                self._client.update_replication_rule(known.rule_id, {**changes, "meta": _mark(rule)})

    def _add(self, rule: ReplicationRule) -> str:
        parent = Lfn(rule.dataset)
        made: list[str] = self._client.add_replication_rule(
            [{"scope": parent.scope, "name": parent.name}],
            rule.copies,
            rule.expression,
            priority=rule.priority,
            lifetime=rule.lifetime_seconds,
            source_replica_expression=rule.source_expression,
            comment=None if rule.kind is None else f"preservation policy, kind {rule.kind}"[:255],
            meta=_mark(rule),
        )
        return made[0]

    def _adopt(self, rule: ReplicationRule, duplicate: Exception) -> str:
        """Take over the rule of our account that stands in the way of an equal one.

        It was made by another process a moment ago, or before rules carried a mark.
        """
        parent = Lfn(rule.dataset)
        for one in self._client.list_did_rules(parent.scope, parent.name):
            terms = (one["account"], one["copies"], one["rse_expression"])
            if terms == (self._client.account, rule.copies, rule.expression):
                # A rule that was about to end stays from now on.
                options = {"meta": _mark(rule), "lifetime": rule.lifetime_seconds}
                options["source_replica_expression"] = rule.source_expression
                self._client.update_replication_rule(one["id"], options)
                return str(one["id"])
        raise duplicate

    def of_dataset(self, dataset: str) -> list[ReplicationRule]:
        """Return the rules of a dataset with their states; not those that expire at this moment."""
        parent = Lfn(dataset)
        with catalogue_errors(f"list the rules of {dataset}"):
            self._client.get_did(parent.scope, parent.name)
            found = [_rule(one) for one in self._client.list_did_rules(parent.scope, parent.name)]
        now = datetime.now(UTC)
        return [one for one in found if one.expires_at is None or one.expires_at > now]

    def remove(self, rule_id: str) -> None:
        """Let a rule end now; unknown is no error."""
        # Deleting would only set its end to an hour from now.
        self._update(rule_id, "end", {"lifetime": -1})

    def retry(self, rule_id: str) -> None:
        """Have the copies at which a rule is stuck tried again soon; unknown is no error."""
        # Rucio itself would try again after two hours, and less often every day.
        self._update(rule_id, "hurry", {"boost_rule": True})

    def _update(self, rule_id: str, verb: str, options: Mapping[str, object]) -> None:
        from rucio.common.exception import RuleNotFound

        with catalogue_errors(f"{verb} the rule {rule_id}"), contextlib.suppress(RuleNotFound):
            self._client.update_replication_rule(rule_id, dict(options))

    def kept_copies(self, rule_ids: Sequence[str]) -> Mapping[Lfn, frozenset[str]]:
        """Return, by file, the RSEs at which these rules hold locks on complete copies."""
        kept: dict[Lfn, frozenset[str]] = {}
        for rule_id in rule_ids:
            with catalogue_errors(f"list what the rule {rule_id} keeps"):
                for lock in self._client.list_replica_locks(rule_id):
                    if lock["state"] == "OK":
                        lfn = Lfn(lock["name"])
                        kept[lfn] = kept.get(lfn, frozenset()) | {lock["rse"]}
        return kept


def _is_equal(known: ReplicationRule, rule: ReplicationRule) -> bool:
    terms = (known.copies, known.expression, known.kind is None)
    return terms == (rule.copies, rule.expression, rule.kind is None)


def _ends_too_early(known: ReplicationRule, rule: ReplicationRule) -> bool:
    """Tell whether a rule ends though it shall not, or before the moment that is asked for."""
    if known.expires_at is None:
        return False
    if rule.lifetime_seconds is None:
        return True
    return rule.expires_at is not None and rule.expires_at > known.expires_at


def _mark(rule: ReplicationRule) -> str | None:
    if rule.kind is None:
        return None
    return json.dumps({_MARK: {"kind": rule.kind, "policy": rule.policy_digest}})


def _rule(one: Mapping[str, Any]) -> ReplicationRule:
    mark = _read_mark(one.get("meta"))
    return ReplicationRule(
        dataset=one["name"],
        copies=one["copies"],
        expression=one["rse_expression"],
        source_expression=one["source_replica_expression"],
        priority=one["priority"],
        kind=mark.get("kind"),
        policy_digest=mark.get("policy"),
        rule_id=one["id"],
        state=_STATES[one["state"]],
        error=one["error"],
        expires_at=_utc(one["expires_at"]),
    )


def _read_mark(meta: str | None) -> Mapping[str, str]:
    """Return the policy's mark, or nothing for the rule of someone else, whose metadata are their own."""
    facts: object = meta
    try:
        # The server encodes what it is given, and when rules are changed it encodes that once more.
        while isinstance(facts, str):
            facts = json.loads(facts)
    except ValueError:
        return {}
    mark = facts.get(_MARK) if isinstance(facts, dict) else None
    return mark if isinstance(mark, dict) else {}


def _utc(at: datetime | None) -> datetime | None:
    """Return a time of Rucio's, which is UTC and does not say so, with its zone."""
    return None if at is None else at.replace(tzinfo=UTC)
