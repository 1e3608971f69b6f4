"""One look at a dataset: compare it with the policy, and do what brings it nearer.

A look may be cut anywhere; the next one sees what is there and goes on. Copies are given up (an on-site
copy freed, a superseded rule ended) only by the holder of the dataset's lock, with proof of the copies that
remain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import batched

from dpps.data.audit.comparing import known_files
from dpps.data.audit.ports import ExclusiveRight
from dpps.data.audit.reading import Reader
from dpps.data.audit.records import DatasetState
from dpps.data.audit.wrong import found_wrong
from dpps.data.policy import PreservationPolicy, ProductKind, plan_rules
from dpps.data.policy.plan import site_of
from dpps.data.ports import Catalogue, ReplicationRule, RuleState, StorageElement
from dpps.data.preservation.freeing import (
    Freeing,
    OnsiteCopy,
    PreservationOutcome,
    judge,
    kept_copy,
    proven_sites,
)
from dpps.data.preservation.promises import end_of, keep_promises
from dpps.data.preservation.releasing import CopyKeeper, Releases
from dpps.data.preservation.stock import Stock, overdue, take_stock
from dpps.data.temporary import is_temporary
from dpps.domain.errors import Unavailable
from dpps.domain.files import ArchivedFile, ReplicaState
from dpps.domain.names import Lfn
from dpps.domain.principals import Action, Principal, authorize

__all__ = ["DatasetLook", "Keeping", "keep_dataset", "preservation_pass"]

_BATCH_FILES = 500
_REASONS_MAX = 5
_NOT_DELETED = "storages have not deleted freed copies yet"
_END_TOLERANCE = timedelta(minutes=1)
"""Ends of rules that differ by less are the same: the catalogue counts from when it made the rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """What looks at datasets work with; made anew for every round, so that storages are known as they are."""

    catalogue: Catalogue
    reader: Reader
    releases: Releases
    keeper: CopyKeeper
    policy: PreservationPolicy
    elements: Sequence[StorageElement]
    dry_run: bool = False

    @property
    def sites(self) -> Mapping[str, str]:
        """Site of each storage."""
        return {element.rse: site_of(element) for element in self.elements}


@dataclass(slots=True, kw_only=True)
class DatasetLook:
    """What one look at a dataset found and did."""

    dataset: str
    waits_for: str = ""
    """What is missing; empty when the policy is kept and nothing is left to do."""
    copies: list[OnsiteCopy] = field(default_factory=list)
    """On-site copies that were judged."""
    rules_made: int = 0
    rules_ended: int = 0
    without_copy: list[Lfn] = field(default_factory=list)
    """Files that shall be kept and of which the catalogue knows no complete copy any more."""
    look_again_at: datetime | None = None
    """When something is due by itself."""

    @property
    def freed(self) -> int:
        """Number of on-site copies that may be deleted since this look."""
        return sum(one.outcome is PreservationOutcome.FREED for one in self.copies)


def preservation_pass(
    principal: Principal,
    work: Keeping,
    *,
    under: str = "/",
    progress: Callable[[OnsiteCopy], None] | None = None,
) -> Iterator[DatasetLook]:
    """Look at every dataset below a path, and yield what each look found and did.

    Raises
    ------
    NotAuthorized
        When the principal may not free copies.
    Unavailable
        When catalogue or database do not answer.
    """
    authorize(principal, Action.PRESERVE, under)
    for dataset in work.catalogue.datasets(under):
        look = keep_dataset(work, dataset)
        if progress is not None:
            for copy in look.copies:
                progress(copy)
        yield look


def keep_dataset(work: Keeping, dataset: str, state: DatasetState | None = None) -> DatasetLook:
    """Compare one dataset with the policy, and do what brings it nearer.

    Parameters
    ----------
    work : Keeping
        The archive and its policy.
    dataset : str
        Name of the dataset.
    state : DatasetState, optional
        What is known from earlier looks; tells whether a lifetime is over.
    """
    with work.reader.evidence.exclusive(dataset) as right:
        look = DatasetLook(dataset=dataset)
        if right is not None:
            _Look(replace(work, reader=work.reader.for_one_look()), look, state, right).run()
        else:
            look.waits_for = "another process is at work on it"
        return look


@dataclass(slots=True)
class _Look:
    work: Keeping
    look: DatasetLook
    state: DatasetState | None
    right: ExclusiveRight
    stock: Stock = field(default_factory=Stock)
    waits: list[str] = field(default_factory=list)

    def run(self) -> None:
        self._take_stock()
        wanted = None if is_temporary(self.look.dataset) else self._wanted()
        if wanted is not None:
            keepers, superseded = self._ensure(wanted)
            spare = self._spare(keepers)
            lasting = [rule for rule in keepers if rule not in spare]
            kept = (
                self._kept(lasting) if self.stock.onsite or self.stock.released or superseded or spare else {}
            )
            self._take_back(kept, complete=not self.look.rules_made)
            self._free(kept, complete=not self.look.rules_made)
            self._end([*superseded, *spare], lasting, kept)
        reasons = list(dict.fromkeys(self.waits))
        more = [f"and {len(reasons) - _REASONS_MAX} reasons more"] if len(reasons) > _REASONS_MAX else []
        self.look.waits_for = "; ".join([*reasons[:_REASONS_MAX], *more])

    def _take_stock(self) -> None:
        work, dataset = self.work, self.look.dataset
        files = known_files(work.catalogue, dataset)
        self.stock = take_stock(
            files, work.policy, work.reader, temporary=is_temporary(dataset), is_over=self._is_over
        )
        self.look.without_copy = self.stock.without_copy
        self.waits += [f"{lfn.basename} has no complete copy" for lfn in self.stock.without_copy]
        if not work.dry_run:
            work.reader.evidence.take_stock(dataset, self.stock.copies)
            work.releases.forget_all_but(dataset, self.stock.there)
            self._await_deletion()
        self._await_repairs()

    def _await_repairs(self) -> None:
        """Note copies that were read back wrong: the catalogue knows of no damage to the last copies."""
        for keys in batched(sorted(self.stock.copies), _BATCH_FILES):
            self.waits += [
                f"{one.lfn.basename} at {one.rse} was {one.outcome.value} when it was last read back"
                for one in found_wrong(self.work.reader.evidence, keys)
            ]

    def _await_deletion(self) -> None:
        """Note which freed copies are there still; of marked ones only the release tells that they were."""
        leaving = self.work.releases.of(self.stock.leaving)
        self.waits += [_NOT_DELETED] if self.stock.pending or leaving else []
        for one in overdue(leaving.values(), self.work.reader.clock()):
            since = f"{one.released_at:%Y-%m-%dT%H:%M:%SZ}"
            self.waits.append(
                f"{one.lfn.basename} at {one.rse} was freed at {since} and is marked for deletion, which "
                "waits: the others are not proven, or its storage does not answer (dpps logs rucio-daemons)"
            )

    def _wanted(self) -> list[ReplicationRule] | None:
        """Return the rules that the policy asks for; None, with the reason, when it asks the impossible."""
        wanted: dict[tuple[int, str], ReplicationRule] = {}
        for kind in self.stock.kinds.values():
            if self._is_over(kind):
                continue
            try:
                rules = plan_rules(self.work.policy, kind, self.look.dataset, self.work.elements)
            except Unavailable as impossible:
                self.waits.append(impossible.message)
                return None
            for rule in map(self._with_end, rules):
                terms = (rule.copies, rule.expression)
                known = wanted.get(terms, rule)
                # The catalogue has one such rule a dataset: it keeps what stays longest.
                wanted[terms] = rule if _ends_too_early(known, rule) else known
        return list(wanted.values())

    def _with_end(self, rule: ReplicationRule) -> ReplicationRule:
        """Return a rule that ends when the lifetime of this dataset's products is over, if that is known."""
        if rule.lifetime_seconds is None or self.state is None:
            return rule
        end = self.state.first_seen_at + timedelta(seconds=rule.lifetime_seconds)
        left = end - self.work.reader.clock()
        return replace(rule, expires_at=end, lifetime_seconds=max(1, round(left.total_seconds())))

    def _is_over(self, kind: ProductKind) -> bool:
        """Tell whether the lifetime of a kind's products is over; the catalogue ended the rules by itself."""
        if kind.lifetime is None or self.state is None:
            return False
        return self.work.reader.clock() > self.state.first_seen_at + kind.lifetime

    def _ensure(
        self, wanted: Sequence[ReplicationRule]
    ) -> tuple[list[ReplicationRule], list[ReplicationRule]]:
        """Make what is missing; return the rules that keep the policy, and ours that it supersedes."""
        known = self.work.catalogue.rules(self.look.dataset)
        ours = {(rule.copies, rule.expression): rule for rule in known if rule.kind is not None}
        keepers: list[ReplicationRule] = []
        for rule in keep_promises(wanted, ours, self.work.reader.clock()):
            if _has_done_its_part(rule, ours):
                continue
            there = ours.pop((rule.copies, rule.expression), None)
            if there is not None:
                keepers.append(there)
                self._note_state(there)
            else:
                self.look.rules_made += 1
                self.waits.append(f"the rule for {rule.copies} copies at {rule.expression} was missing")
            if not self.work.dry_run and (there is None or _differs(there, rule)):
                self.work.catalogue.ensure_rule(rule)
        return keepers, list(ours.values())

    def _spare(self, keepers: Sequence[ReplicationRule]) -> list[ReplicationRule]:
        """Return the rules for first copies that hold others than the rules for all copies do.

        The catalogue may choose storages for the two that have nothing in common: then there is a copy
        too many. When all copies are there the first one has done its part.
        """
        spare: list[ReplicationRule] = []
        for first in keepers if self.stock.has_surplus else ():
            whole = next((one for one in keepers if _asks_for_all(one, first)), None)
            if whole is None or whole.state is not RuleState.OK:
                continue
            now = self.work.reader.clock()
            if end_of(first, now) - end_of(whole, now) > _END_TOLERANCE:
                continue
            firsts, wholes = self._kept([first]), self._kept([whole])
            if any(rses - wholes.get(lfn, frozenset()) for lfn, rses in firsts.items()):
                spare.append(first)
        return spare

    def _note_state(self, rule: ReplicationRule) -> None:
        if rule.state is RuleState.OK:
            return
        why = f": {rule.error}" if rule.error else ""
        state = rule.state.value if rule.state else "unknown"
        self.waits.append(f"the rule for {rule.copies} copies at {rule.expression} is {state}{why}")
        if rule.state is RuleState.STUCK and not self.work.dry_run:
            self.work.catalogue.retry_rule(rule.rule_id)

    def _kept(self, keepers: Sequence[ReplicationRule]) -> Mapping[Lfn, frozenset[str]]:
        return self.work.catalogue.kept_copies([rule.rule_id for rule in keepers])

    def _take_back(self, kept: Mapping[Lfn, frozenset[str]], *, complete: bool) -> None:
        """Hold freed copies again whose grounds are gone, as long as their bytes are there."""
        lfns = sorted({key.lfn for key in self.stock.released})
        for verdicts in self._verdicts(lfns, kept, complete=complete):
            lapsed = [
                one
                for one in verdicts
                if one.outcome is PreservationOutcome.KEPT and one.key in self.stock.released
            ]
            self.look.copies += lapsed if self.work.dry_run else self._freeing().take_back(lapsed)
            self.stock.pending |= {one.key for one in lapsed}

    def _free(self, kept: Mapping[Lfn, frozenset[str]], *, complete: bool) -> None:
        for verdicts in self._verdicts(self.stock.onsite, kept, complete=complete):
            new = [one for one in verdicts if one.key not in self.stock.pending]
            self.look.copies += new if self.work.dry_run else self._freeing().free(new)
        for copy in self.look.copies:
            if copy.outcome is PreservationOutcome.FREED:
                self.waits.append(_NOT_DELETED)
            elif not copy.stays:
                self.waits.append(f"{copy.lfn.basename} at {copy.rse}: {copy.reason}")
        times = [copy.free_at for copy in self.look.copies if copy.free_at is not None]
        self.look.look_again_at = min(times, default=None)

    def _verdicts(
        self, lfns: Sequence[Lfn], kept: Mapping[Lfn, frozenset[str]], *, complete: bool
    ) -> Iterator[list[OnsiteCopy]]:
        """Yield what may become of the on-site copies of files, some files at a time."""
        for names in batched(lfns, _BATCH_FILES):
            yield [
                verdict
                for file in self.work.catalogue.files(names)
                if file is not None
                for verdict in self._judge(file, kept.get(file.lfn, frozenset()), complete=complete)
            ]

    def _freeing(self) -> Freeing:
        work = self.work
        return Freeing(
            dataset=self.look.dataset,
            catalogue=work.catalogue,
            reader=work.reader,
            releases=work.releases,
            keeper=work.keeper,
            right=self.right,
        )

    def _judge(self, file: ArchivedFile, kept_at: frozenset[str], *, complete: bool) -> list[OnsiteCopy]:
        kind = self.work.policy.kind_of(file.metadata)
        copies = [one for one in file.replicas if one.onsite and one.state is ReplicaState.AVAILABLE]
        if kind.free_onsite.when_verified and not complete:
            why = "no replication rule keeps the off-site copies"
            return [kept_copy(file, one, why) for one in copies]
        reader, sites = self.work.reader, self.work.sites
        return [judge(file, one, kind, kept_at, reader, sites) for one in copies]

    def _end(
        self,
        superseded: Sequence[ReplicationRule],
        keepers: Sequence[ReplicationRule],
        kept: Mapping[Lfn, frozenset[str]],
    ) -> None:
        """End rules that the policy no longer asks for, once all that it does ask for is proven."""
        # Without a rule that stays there is nothing to rely on. Files may be about to be attached: whoever
        # enters them makes the rules first, and they must find those.
        if not superseded or not keepers:
            return
        if self.look.rules_made or any(rule.state is not RuleState.OK for rule in keepers):
            self.waits.append("older rules stay until those of the policy are fulfilled")
            return
        for file in known_files(self.work.catalogue, self.look.dataset):
            kind = self.work.policy.kind_of(file.metadata)
            needed = 0 if self._is_over(kind) else kind.copies
            found = proven_sites(file, kept.get(file.lfn, ()), self.work.reader, self.work.sites)
            if found < needed:
                self.waits.append(f"older rules stay: {file.lfn} has {found} of {needed} proven copies")
                return
        for rule in superseded:
            self.look.rules_ended += 1
            if not self.work.dry_run:
                self.right.confirm()
                self.work.catalogue.remove_rule(rule.rule_id)


def _asks_for_all(rule: ReplicationRule, first: ReplicationRule) -> bool:
    """Tell whether a rule asks for all the copies of which another one asks for the first."""
    return first.copies == 1 < rule.copies and rule.expression == first.expression


def _has_done_its_part(wanted: ReplicationRule, there: Mapping[tuple[int, str], ReplicationRule]) -> bool:
    """Tell whether a rule for first copies is gone and not needed: the rule for all copies is fulfilled."""
    if (wanted.copies, wanted.expression) in there:
        return False
    return any(_asks_for_all(one, wanted) and one.state is RuleState.OK for one in there.values())


def _differs(there: ReplicationRule, wanted: ReplicationRule) -> bool:
    """Tell whether a rule reads from elsewhere, hurries otherwise or ends earlier than it should."""
    terms = (wanted.source_expression, wanted.priority)
    return terms != (there.source_expression, there.priority) or _ends_too_early(there, wanted)


def _ends_too_early(rule: ReplicationRule, wanted: ReplicationRule) -> bool:
    """Tell whether a rule lets go of copies that another one still wants."""
    if wanted.lifetime_seconds is None:
        return rule.lifetime_seconds is not None or rule.expires_at is not None
    if rule.expires_at is None or wanted.expires_at is None:
        return False
    return wanted.expires_at - rule.expires_at > _END_TOLERANCE
