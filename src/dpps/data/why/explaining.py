"""From observations to an explanation: pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from dpps.data.ports import ReplicationRule, RuleState
from dpps.data.why.copies import explain_copy
from dpps.data.why.damage import explain_alarm, explain_damage, explain_dataset_damage
from dpps.data.why.deletions import explain_deletion
from dpps.data.why.findings import Explanation, Finding, Weight
from dpps.data.why.observations import DatasetObservation, FileObservation, Refusal
from dpps.data.why.silences import explain_silences
from dpps.domain.files import ArchivedFile

__all__ = ["explain_dataset", "explain_file"]


def explain_file(seen: FileObservation, now: datetime) -> Explanation:
    """Return why a file is where it is, and what happens next.

    Parameters
    ----------
    seen : FileObservation
        Everything that was looked at.
    now : datetime
        Time of the look.
    """
    if seen.file is None:
        return Explanation(
            subject=str(seen.lfn),
            findings=(_absent(seen), *explain_silences(seen.silences)),
            known=seen.refusal is not None,
            unanswered=tuple(one.service for one in seen.silences),
        )
    findings = [
        _whereabouts(seen),
        *explain_silences(seen.silences),
        *explain_alarm(seen),
        *_visibility(seen.file),
        *_should(seen),
        *_rules(seen.rules, doubted=bool(seen.wrong)),
        *explain_damage(seen),
        *(finding for copy in seen.missing for finding in explain_copy(copy, seen, now)),
        *map(explain_deletion, seen.deletions),
        *_onsite(seen),
        *_handed_again(seen),
    ]
    return Explanation(
        subject=str(seen.lfn),
        findings=tuple(findings),
        unanswered=tuple(one.service for one in seen.silences),
    )


def explain_dataset(seen: DatasetObservation, now: datetime) -> Explanation:
    """Return why a dataset is as it is: its rules, and some of the files that lack a copy."""
    part = "" if seen.looked_at == seen.files else f" of the first {seen.looked_at}"
    doubted = bool(seen.wrong or seen.alarms)
    complete = not (seen.incomplete or doubted)
    findings = [
        Finding(
            code="dataset-complete" if complete else "dataset-incomplete",
            weight=Weight.GOOD if complete else Weight.WAITS,
            fact=f"{seen.files} files; {seen.incomplete}{part} lack a copy that a rule wants"
            + (", as far as the catalogue knows" if doubted else ""),
        ),
        *explain_silences(seen.silences),
        *explain_dataset_damage(seen, part),
        *_rules(seen.rules, doubted=doubted),
    ]
    if not seen.rules:
        findings.append(_no_rule())
    known: set[tuple[str, str]] = set()
    for example in seen.examples:
        for copy in example.missing:
            for finding in explain_copy(copy, example, now):
                key = (finding.code, copy.rse)
                if key not in known:
                    known.add(key)
                    findings.append(finding)
    findings.extend(_deletions(seen))
    return Explanation(
        subject=seen.name,
        findings=tuple(findings),
        unanswered=tuple(one.service for one in seen.silences),
    )


def _deletions(seen: DatasetObservation) -> Iterator[Finding]:
    if seen.deleting:
        yield Finding(
            code="deletions-begun",
            weight=Weight.NOTE,
            fact=f"of {seen.deleting} files a copy on site is being deleted, or waits for it",
        )
    told: set[tuple[str, str]] = set()
    for one in seen.deletions:
        finding = explain_deletion(one)
        if (finding.code, one.rse) not in told:
            told.add((finding.code, one.rse))
            yield finding


def _absent(seen: FileObservation) -> Finding:
    if seen.refusal is not None:
        if seen.refusal.is_for(seen.lfn):
            return _refused(
                seen.refusal, f"not in the archive: handed over as {seen.refusal.path} and not taken"
            )
        like = f"a file of this name was handed over and not taken: {seen.refusal.path}"
        return _refused(seen.refusal, f"not in the archive; {like}")
    near = f"; near names: {', '.join(seen.similar)}" if seen.similar else ""
    return Finding(
        code="file-unknown",
        weight=Weight.BLOCKS,
        fact=f"the archive knows no file of this name{near}",
        next="check the name: dpps data ls"
        + (
            ""
            if seen.silences
            else f"; nothing of this name waits in {seen.handover} either (other hand-over folders: "
            "dpps ingest quarantine list FOLDER)"
        ),
    )


def _refused(refusal: Refusal, fact: str) -> Finding:
    return Finding(
        code="handover-refused",
        weight=Weight.WAITS if refusal.retryable else Weight.BLOCKS,
        fact=fact,
        cause=refusal.message,
        next="it is tried again by itself" if refusal.retryable else refusal.next_step,
    )


def _handed_again(seen: FileObservation) -> Iterator[Finding]:
    if seen.refusal is not None:
        yield _refused(
            seen.refusal, f"{seen.refusal.path} was handed over for this name, too, and is not done with"
        )


def _whereabouts(seen: FileObservation) -> Finding:
    there = [one.rse for one in seen.good]
    return Finding(
        code="copies-there" if there else "copies-none",
        weight=Weight.NOTE if there else Weight.BLOCKS,
        fact=f"good copies at: {', '.join(there) or 'no storage'}",
        cause="" if there else "every copy is damaged, lost, or was never written",
        next="" if there else "restore the file from its producer: dpps data audit alarms",
    )


def _visibility(file: ArchivedFile) -> Iterator[Finding]:
    if file.dataset is None:
        yield Finding(
            code="not-attached",
            weight=Weight.WAITS,
            fact="registered, but in no dataset: readers do not see it",
            cause="what takes it into the archive was interrupted, or is at it now",
            next="the service that registered it attaches it on its next pass",
            when="within a minute of that service being well: dpps status",
        )


def _should(seen: FileObservation) -> Iterator[Finding]:
    if seen.file is None or not seen.copies_wanted:
        return
    off_site = [one.rse for one in seen.good if not one.onsite]
    enough = len(off_site) >= seen.copies_wanted
    yield Finding(
        code="policy-met" if enough else "policy-not-met",
        weight=Weight.GOOD if enough else Weight.WAITS,
        fact=f"{len(off_site)} of the {seen.copies_wanted} copies off site that the policy demands",
        cause=f"the policy for products of the kind {seen.kind!r}",
    )
    if not seen.rules and seen.file.dataset is not None:
        yield _no_rule()


def _no_rule() -> Finding:
    return Finding(
        code="rule-none",
        weight=Weight.WAITS,
        fact="no rule asks for copies",
        cause="rules are made from the policy after a dataset is",
        next="the preservation service makes the rule",
        when="within minutes, when it is well: dpps status; dpps logs preservation",
    )


def _rules(rules: tuple[ReplicationRule, ...], *, doubted: bool) -> Iterator[Finding]:
    for one in rules:
        asks = f"rule {one.rule_id} wants {one.copies} at {one.expression}"
        if one.source_expression:
            asks += f", copied from {one.source_expression}"
        if one.state is RuleState.OK:
            yield Finding(
                code="rule-ok",
                weight=Weight.NOTE if doubted else Weight.GOOD,
                fact=f"{asks}: all files have them" + (", as far as the catalogue knows" if doubted else ""),
            )
        elif one.state is RuleState.STUCK:
            yield _stuck(asks, one)
        elif one.state is RuleState.SUSPENDED:
            yield Finding(
                code="rule-suspended",
                weight=Weight.BLOCKS,
                fact=f"{asks}: suspended",
                cause=one.error or "the catalogue gives rules up that were stuck for two weeks",
                next="mend the cause, then, as the account preservation: rucio rule update --stuck",
            )
        else:
            yield Finding(code="rule-replicating", weight=Weight.WAITS, fact=f"{asks}: copying")


def _stuck(asks: str, rule: ReplicationRule) -> Finding:
    return Finding(
        code="rule-stuck",
        weight=Weight.WAITS,
        fact=f"{asks}: stuck",
        cause=rule.error or "a file has no source that may be copied from, or its transfer failed for good",
        next="the catalogue looks for other sources and places",
        when="every 30 s at the latest, for two weeks",
    )


def _onsite(seen: FileObservation) -> Iterator[Finding]:
    if seen.file is None:
        return
    told = {one.rse for one in seen.deletions}
    for one in seen.good:
        if one.rse in told or not one.onsite:
            continue
        if not seen.frees_onsite:
            yield Finding(
                code="onsite-kept",
                weight=Weight.NOTE,
                fact=f"the copy at {one.rse} stays",
                cause=f"the policy for {seen.kind!r} frees no copies on site",
            )
            continue
        yield Finding(
            code="onsite-waits",
            weight=Weight.WAITS,
            fact=f"the copy at {one.rse} is still there",
            cause=f"it goes when {seen.copies_wanted} copies off site were read back and matched",
            next="the preservation service reads them back, then frees it",
            when="on its pass after the last of them arrived",
        )
