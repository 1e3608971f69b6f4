"""A catalogue in memory."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from dpps.data.policy.expressions import parse_expression
from dpps.data.ports import (
    Registration,
    RegistrationOutcome,
    ReplicationRule,
    RuleState,
    StorageElement,
)
from dpps.data.query.evaluation import matches
from dpps.data.query.expressions import Query
from dpps.data.query.places import EVERYWHERE, Place
from dpps.data.visibility import is_visible
from dpps.domain.errors import Conflict, DppsError, InvalidInput, NotFound
from dpps.domain.files import ArchivedFile, Replica, ReplicaState
from dpps.domain.names import Lfn

__all__ = ["MemoryCatalogue"]


class MemoryCatalogue:
    """Keeps everything in dictionaries; transfers nothing by itself.

    Parameters
    ----------
    elements : sequence of StorageElement
        The storages that exist.
    """

    def __init__(self, elements: Sequence[StorageElement]) -> None:
        self._elements = {element.rse: element for element in elements}
        self._files: dict[Lfn, ArchivedFile] = {}
        self._datasets: dict[str, set[Lfn]] = {}
        self._rules: dict[str, list[ReplicationRule]] = {}
        self.released: set[tuple[str, Lfn]] = set()
        """Copies that may be deleted."""
        self.locked: set[tuple[str, Lfn]] = set()
        """Copies that a rule of someone else holds."""

    def storage_elements(self) -> list[StorageElement]:
        """Return every storage, sorted by name."""
        return [self._elements[rse] for rse in sorted(self._elements)]

    def register(self, registrations: Sequence[Registration]) -> list[RegistrationOutcome]:
        """Enter files; idempotent by LFN and content."""
        return [self._register(registration) for registration in registrations]

    def _register(self, wanted: Registration) -> RegistrationOutcome:
        try:
            self._element(wanted.rse)
        except DppsError as unknown:
            return RegistrationOutcome(lfn=wanted.lfn, created=False, error=unknown)
        known = self._files.get(wanted.lfn)
        if known is not None and known.content != wanted.content:
            taken = Conflict(
                f"{wanted.lfn} is registered with other content",
                code="lfn-taken",
                next_step="a name is never reused: give the file another one",
                lfn=wanted.lfn,
            )
            return RegistrationOutcome(lfn=wanted.lfn, created=False, error=taken)
        self._datasets.setdefault(wanted.dataset, set())
        if known is None:
            self._files[wanted.lfn] = ArchivedFile(
                lfn=wanted.lfn, content=wanted.content, replicas=(), metadata=dict(wanted.metadata)
            )
        self.set_replica(wanted.lfn, wanted.rse, ReplicaState.AVAILABLE)
        return RegistrationOutcome(lfn=wanted.lfn, created=known is None)

    def attach(self, dataset: str, lfns: Sequence[Lfn]) -> None:
        """Make registered files visible."""
        members = self._members(dataset)
        for lfn in lfns:
            if lfn not in self._files:
                raise _unknown(lfn.name)
            members.add(lfn)
            self._files[lfn] = replace(self._files[lfn], dataset=dataset)

    def files(self, lfns: Sequence[Lfn]) -> list[ArchivedFile | None]:
        """Return what is known of each file."""
        return [self._files.get(lfn) for lfn in lfns]

    def find(
        self,
        query: Query,
        *,
        place: Place | None = None,
        after: Lfn | None = None,
        limit: int | None = None,
    ) -> list[Lfn]:
        """Return visible files that meet a query, in order of scope and name."""
        where = place or EVERYWHERE
        found = sorted(
            (lfn.scope, lfn)
            for lfn, file in self._files.items()
            if is_visible(file)
            and where.holds(lfn.name)
            and (after is None or (lfn.scope, lfn) > (after.scope, after))
            and matches(file.metadata, query)
        )
        return [lfn for _, lfn in found[:limit]]

    def datasets(self, under: str = "/") -> list[str]:
        """Return the names of datasets below a path."""
        return sorted(name for name in self._datasets if _is_under(name, under))

    def members(self, dataset: str) -> list[Lfn]:
        """Return the files of a dataset."""
        return sorted(self._members(str(Lfn(dataset))))

    def ensure_rule(self, rule: ReplicationRule) -> str:
        """Make the rule unless an equal one exists."""
        self._members(rule.dataset)
        rules = self._rules.setdefault(rule.dataset, [])
        for number, known in enumerate(rules):
            alike = (known.kind is None) == (rule.kind is None)
            if alike and (known.copies, known.expression) == (rule.copies, rule.expression):
                if known.expires_at is not None and rule.kind is not None:
                    rules[number] = replace(known, expires_at=_later_end(known.expires_at, rule))
                return known.rule_id
        end = None if rule.lifetime_seconds is None else _seconds_from_now(rule.lifetime_seconds)
        made = replace(
            rule,
            rule_id=uuid.uuid4().hex,
            state=RuleState.REPLICATING,
            lifetime_seconds=None,
            expires_at=rule.expires_at or end,
        )
        rules.append(made)
        return made.rule_id

    def rules(self, dataset: str) -> list[ReplicationRule]:
        """Return the rules of a dataset."""
        self._members(dataset)
        return list(self._rules.get(dataset, []))

    def remove_rule(self, rule_id: str) -> None:
        """Forget a rule."""
        for rules in self._rules.values():
            rules[:] = [rule for rule in rules if rule.rule_id != rule_id]

    def retry_rule(self, rule_id: str) -> None:
        """Let a stuck rule replicate again."""
        for rules in self._rules.values():
            rules[:] = [
                replace(one, state=RuleState.REPLICATING)
                if one.rule_id == rule_id and one.state is RuleState.STUCK
                else one
                for one in rules
            ]

    def kept_copies(self, rule_ids: Sequence[str]) -> Mapping[Lfn, frozenset[str]]:
        """Return, by file, the RSEs whose available copies match the rules' expressions."""
        kept: dict[Lfn, frozenset[str]] = {}
        for dataset, rules in self._rules.items():
            wanted = [parse_expression(rule.expression) for rule in rules if rule.rule_id in rule_ids]
            for lfn in self._datasets[dataset] if wanted else ():
                kept[lfn] = frozenset(
                    one.rse
                    for one in self._files[lfn].replicas
                    if one.state is ReplicaState.AVAILABLE
                    and any(matching(self._element(one.rse)) for matching in wanted)
                )
        return kept

    def set_rule_state(self, rule_id: str, state: RuleState) -> None:
        """Set the state of a rule, as the daemons of a real catalogue would."""
        for rules in self._rules.values():
            rules[:] = [replace(one, state=state) if one.rule_id == rule_id else one for one in rules]

    def release(self, rse: str, lfns: Sequence[Lfn]) -> None:
        """Allow the deletion of copies at one RSE, unless a rule may want them."""
        element = self._element(rse)
        for lfn in lfns:
            file = self._files.get(lfn)
            if file is None or all(replica.rse != rse for replica in file.replicas):
                raise NotFound(
                    f"{lfn} has no copy at {rse}",
                    code="replica-unknown",
                    next_step=f"run: dpps data info {lfn}",
                    lfn=lfn,
                    rse=rse,
                )
            wanted = not element.onsite and self._rules.get(file.dataset or "")
            if wanted or (rse, lfn) in self.locked:
                raise Conflict(
                    f"a replication rule wants the copy of {lfn} at {rse}",
                    code="replica-locked",
                    next_step="change the rule first",
                    lfn=lfn,
                    rse=rse,
                )
            self.released.add((rse, lfn))

    def add_storage(self, element: StorageElement) -> None:
        """Let a further storage exist."""
        self._elements[element.rse] = element

    def set_replica(self, lfn: Lfn, rse: str, state: ReplicaState) -> None:
        """Set the state of a copy, as the transfers of a real catalogue would."""
        element, file = self._element(rse), self._files[lfn]
        copy = Replica(rse=rse, pfn=element.url_prefix + lfn.name, state=state, onsite=element.onsite)
        others = [replica for replica in file.replicas if replica.rse != rse]
        self._files[lfn] = replace(file, replicas=tuple(sorted([*others, copy], key=lambda one: one.rse)))

    def remove_replica(self, lfn: Lfn, rse: str) -> None:
        """Forget a copy, as the deletion of a released one would."""
        file = self._files[lfn]
        self._files[lfn] = replace(file, replicas=tuple(one for one in file.replicas if one.rse != rse))
        self.released.discard((rse, lfn))

    def _element(self, rse: str) -> StorageElement:
        try:
            return self._elements[rse]
        except KeyError:
            raise InvalidInput(
                f"the catalogue knows no storage {rse!r}",
                code="rse-unknown",
                next_step="list the storages with: dpps site list",
                rse=rse,
            ) from None

    def _members(self, dataset: str) -> set[Lfn]:
        try:
            return self._datasets[dataset]
        except KeyError:
            raise _unknown(dataset) from None


def _is_under(name: str, under: str) -> bool:
    return name == under.rstrip("/") or name.startswith(under.rstrip("/") + "/")


def _unknown(name: str) -> NotFound:
    return NotFound(
        f"the catalogue does not know {name}", code="lfn-unknown", next_step="run: dpps data ls", name=name
    )


def _later_end(known: datetime, rule: ReplicationRule) -> datetime | None:
    """Return when a rule ends that an equal one is asked for: never earlier than before."""
    return None if rule.lifetime_seconds is None else max(known, rule.expires_at or known)


def _seconds_from_now(seconds: int) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)
