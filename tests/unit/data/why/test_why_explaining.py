"""Every cause for which a copy can be missing is named, with what to do."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dpps.data.ports import ReplicationRule, RuleState
from dpps.data.sites import Availability, Hold, HoldKind, SiteCondition, WaitingRule
from dpps.data.transfers.service import MovedFile, RetryLog, ServiceAttempt, ServiceLink, StorageRest
from dpps.data.why.explaining import explain_dataset, explain_file
from dpps.data.why.findings import Explanation, Weight
from dpps.data.why.observations import (
    DatasetObservation,
    FileObservation,
    LinkFacts,
    MissingCopy,
    Refusal,
    RequestState,
    SiteFacts,
    TransferRequest,
)
from dpps.data.why.sites import SiteObservation, explain_site
from dpps.domain.files import ArchivedFile, FileContent, Replica, ReplicaState
from dpps.domain.names import Lfn

NOW = datetime(2026, 2, 14, 22, tzinfo=UTC)
LFN = Lfn("/ctao/acada/DL0/f1")
RULE = ReplicationRule(
    dataset="/ctao/acada/DL0", copies=2, expression="OFFSITE=True", rule_id="r1", state=RuleState.REPLICATING
)
DRAIN = Hold(kind=HoldKind.DRAIN, source="PIC", reason="disk change", held_by="alice", held_at=NOW)


def condition(rse: str, **values: object) -> SiteCondition:
    plain = SiteCondition(
        rse=rse,
        onsite=rse.startswith("CTAO"),
        url_prefix=f"davs://{rse.lower()}.example/",
        availability=Availability(),
        attributes={"fts": "https://fts.example"},
        copies_by_transfer=True,
    )
    return replace(plain, **values)  # type: ignore[arg-type]


def file(*replicas: tuple[str, ReplicaState], dataset: str | None = "/ctao/acada/DL0") -> ArchivedFile:
    return ArchivedFile(
        lfn=LFN,
        content=FileContent(size_bytes=1, adler32="00000001"),
        replicas=tuple(
            Replica(rse=rse, pfn="", state=state, onsite=rse.startswith("CTAO")) for rse, state in replicas
        ),
        dataset=dataset,
    )


WAITING = TransferRequest(
    state=RequestState.WAITING, rule_id="r1", source=None, attempts=0, job_id=None, error="", changed_at=NOW
)
MISSING = MissingCopy(
    rse="PIC",
    state=ReplicaState.COPYING,
    request=WAITING,
    links=(LinkFacts(source="CTAO-NORTH", distance=20),),
)


def seen(copy: MissingCopy = MISSING, sites: dict[str, SiteFacts] | None = None) -> FileObservation:
    facts = {
        "PIC": SiteFacts(condition=condition("PIC")),
        "CTAO-NORTH": SiteFacts(condition=condition("CTAO-NORTH")),
    }
    return FileObservation(
        lfn=LFN,
        file=file(("CTAO-NORTH", ReplicaState.AVAILABLE), ("PIC", ReplicaState.COPYING)),
        kind="raw",
        copies_wanted=2,
        frees_onsite=True,
        rules=(RULE,),
        missing=(copy,),
        sites=facts | (sites or {}),
    )


def codes(explanation: Explanation) -> set[str]:
    return {one.code for one in explanation.findings}


def text(explanation: Explanation) -> str:
    return "\n".join(f"{one.fact} {one.cause} {one.next} {one.when}" for one in explanation.findings)


def test_a_file_that_is_just_being_copied_waits_and_blocks_on_nothing() -> None:
    explained = explain_file(seen(), NOW)
    assert explained.verdict is Weight.WAITS
    assert {"copies-there", "policy-not-met", "rule-replicating", "request-waiting", "onsite-waits"} == codes(
        explained
    )


NO_WRITE = Availability(write=False)
NO_READ = Availability(read=False)
RESTING = StorageRest(
    storage="davs://pic.example", failures=4, reason="no answer", since=NOW, rests_until=NOW
)


@pytest.mark.parametrize(
    ("sites", "code", "words"),
    [
        (
            {"PIC": SiteFacts(condition=condition("PIC", availability=NO_WRITE), holds=(DRAIN,))},
            "site-drained",
            "alice since 2026-02-14 22:00 UTC: disk change",
        ),
        (
            {
                "PIC": SiteFacts(
                    condition=condition("PIC", availability=NO_WRITE),
                    holds=(replace(DRAIN, kind=HoldKind.PAUSE),),
                )
            },
            "site-paused",
            "dpps site resume PIC",
        ),
        (
            {"PIC": SiteFacts(condition=condition("PIC", availability=NO_WRITE))},
            "site-closed",
            "nobody who said why",
        ),
        (
            {
                "CTAO-NORTH": SiteFacts(
                    condition=condition("CTAO-NORTH", availability=NO_READ),
                    holds=(replace(DRAIN, kind=HoldKind.PAUSE, source="CTAO-NORTH"),),
                )
            },
            "site-paused",
            "CTAO-NORTH is paused",
        ),
        ({"PIC": SiteFacts(condition=condition("PIC", attributes={}))}, "fts-missing", "without a word"),
        (
            {"CTAO-NORTH": SiteFacts(condition=condition("CTAO-NORTH", attributes={}))},
            "fts-missing",
            "CTAO-NORTH has no attribute",
        ),
        (
            {"PIC": SiteFacts(condition=condition("PIC", copies_by_transfer=False))},
            "third-party-copy-missing",
            "third_party_copy_read",
        ),
        (
            {"PIC": SiteFacts(condition=condition("PIC", url_prefix="root://pic.example//"))},
            "scheme-mismatch",
            "speaks davs, PIC speaks root",
        ),
        ({"PIC": SiteFacts(condition=condition("PIC"), rest=RESTING)}, "storage-rests", "4 times in a row"),
        ({"PIC": SiteFacts(condition=condition("PIC"), ban="maintenance")}, "storage-banned", "maintenance"),
    ],
)
def test_the_cause_at_a_site_is_named(sites: dict[str, SiteFacts], code: str, words: str) -> None:
    explained = explain_file(seen(sites=sites), NOW)
    assert code in codes(explained)
    assert words in text(explained)
    if code != "storage-rests":
        assert explained.verdict is Weight.BLOCKS


def test_a_missing_distance_is_named_and_a_paused_link_by_who_paused_it() -> None:
    gone = replace(MISSING, links=(LinkFacts(source="CTAO-NORTH", distance=None),))
    assert "add-distance CTAO-NORTH PIC" in text(explain_file(seen(gone), NOW))
    hold = replace(DRAIN, kind=HoldKind.LINK, source="CTAO-NORTH", destination="PIC", reason="fibre cut")
    paused = replace(MISSING, links=(LinkFacts(source="CTAO-NORTH", distance=None, hold=hold),))
    explained = explain_file(seen(paused), NOW)
    assert "link-paused" in codes(explained)
    assert "fibre cut" in text(explained)


def test_one_good_source_is_enough() -> None:
    links = (LinkFacts(source="CSCS", distance=None), LinkFacts(source="CTAO-NORTH", distance=1))
    assert "distance-missing" not in codes(explain_file(seen(replace(MISSING, links=links)), NOW))


def test_no_source_at_all_is_an_alarm() -> None:
    explained = explain_file(seen(replace(MISSING, links=())), NOW)
    assert "source-none" in codes(explained)
    assert explained.verdict is Weight.BLOCKS


def test_a_request_that_waits_for_long_without_a_cause_is_not_passed_over() -> None:
    later = NOW + timedelta(hours=1)
    explained = explain_file(seen(), later)
    assert "request-silent" in codes(explained)
    assert explained.verdict is Weight.BLOCKS
    blocked = {"PIC": SiteFacts(condition=condition("PIC", attributes={}))}
    assert "request-silent" not in codes(explain_file(seen(sites=blocked), later))


def moved(state: str, **values: object) -> MovedFile:
    plain = MovedFile(
        job_id="j1",
        file_id=1,
        state=state,
        source="davs://a/f",
        destination="davs://b/f",
        reason="",
        attempts=0,
        submitted_at=NOW,
        started_at=NOW,
        finished_at=None,
        size_bytes=None,
        metadata={"name": str(LFN)},
    )
    return replace(plain, **values)  # type: ignore[arg-type]


SUBMITTED = replace(WAITING, state=RequestState.SUBMITTED, job_id="j1")


@pytest.mark.parametrize(
    ("copy", "code", "words"),
    [
        (replace(MISSING, request=None), "request-none", "every 30 s"),
        (replace(MISSING, request=SUBMITTED), "job-unknown", "j1"),
        (
            replace(MISSING, request=SUBMITTED, moved=moved("ACTIVE")),
            "transfer-active",
            "being copied to PIC",
        ),
        (
            replace(
                MISSING,
                request=SUBMITTED,
                moved=moved(
                    "SUBMITTED", attempts=2, reason="network: no answer", due_at=NOW + timedelta(seconds=90)
                ),
                failures=(RetryLog(attempt=1, at=NOW, reason="network: no answer"),),
            ),
            "attempt-failed",
            "22:01:30",
        ),
        (
            replace(MISSING, request=replace(WAITING, state=RequestState.FAILED, past=True, error="gone")),
            "request-failed",
            "gone",
        ),
        (
            replace(MISSING, request=replace(WAITING, state=RequestState.NO_SOURCES)),
            "request-no-sources",
            "no-sources",
        ),
        (
            replace(MISSING, request=replace(WAITING, state=RequestState.MISMATCH_SCHEME)),
            "request-mismatch-scheme",
            "mismatch-scheme",
        ),
    ],
)
def test_how_far_a_transfer_has_come_is_said(copy: MissingCopy, code: str, words: str) -> None:
    explained = explain_file(seen(copy), NOW)
    assert code in codes(explained)
    assert words in text(explained)


def test_unknown_names_come_with_near_ones_and_refused_files_with_their_reason() -> None:
    unknown = FileObservation(lfn=LFN, file=None, similar=("/ctao/acada/DL0/f2",))
    assert "/ctao/acada/DL0/f2" in text(explain_file(unknown, NOW))
    refusal = Refusal(
        path="/in/ctao/acada/DL0/f1",
        handed="ctao/acada/DL0/f1",
        code="file-damaged",
        message="truncated",
        next_step="send it again",
        retryable=False,
    )
    explained = explain_file(replace(unknown, refusal=refusal), NOW)
    assert (codes(explained), explained.verdict) == ({"handover-refused"}, Weight.BLOCKS)
    assert "send it again" in text(explained)
    waits = explain_file(replace(unknown, refusal=replace(refusal, retryable=True)), NOW)
    assert waits.verdict is Weight.WAITS


def test_a_file_that_is_safe_is_good() -> None:
    safe = FileObservation(
        lfn=LFN,
        file=file(("PIC", ReplicaState.AVAILABLE), ("CSCS", ReplicaState.AVAILABLE)),
        kind="raw",
        copies_wanted=2,
        rules=(replace(RULE, state=RuleState.OK),),
    )
    explained = explain_file(safe, NOW)
    assert {"policy-met", "rule-ok"} <= codes(explained)
    assert explained.verdict in {Weight.GOOD, Weight.NOTE}


@pytest.mark.parametrize(
    ("rules", "code"),
    [
        ((), "rule-none"),
        ((replace(RULE, state=RuleState.STUCK, error="no target"),), "rule-stuck"),
        ((replace(RULE, state=RuleState.SUSPENDED),), "rule-suspended"),
    ],
)
def test_what_is_wrong_with_rules_is_said(rules: tuple[ReplicationRule, ...], code: str) -> None:
    assert code in codes(explain_file(replace(seen(), rules=rules, missing=()), NOW))


def test_damage_and_invisible_files_are_said() -> None:
    hurt = file(("PIC", ReplicaState.BAD), ("CSCS", ReplicaState.AVAILABLE), dataset=None)
    explained = explain_file(FileObservation(lfn=LFN, file=hurt), NOW)
    assert {"copy-damaged", "not-attached"} <= codes(explained)
    last = explain_file(FileObservation(lfn=LFN, file=file(("PIC", ReplicaState.BAD))), NOW)
    assert {"copies-none", "copy-damaged-last"} <= codes(last)
    assert last.verdict is Weight.BLOCKS


def test_a_dataset_shows_each_cause_once() -> None:
    sites = {"PIC": SiteFacts(condition=condition("PIC", attributes={}))}
    observed = DatasetObservation(
        name="/ctao/acada/DL0",
        files=2000,
        looked_at=1000,
        incomplete=2,
        rules=(RULE,),
        examples=(seen(sites=sites), seen(sites=sites)),
    )
    explained = explain_dataset(observed, NOW)
    assert [one.code for one in explained.findings].count("fts-missing") == 1
    assert "2 of the first 1000" in text(explained)


def test_a_site_says_all_that_is_wrong_with_it() -> None:
    attempt = ServiceAttempt(
        job_id="j",
        number=1,
        name="n",
        source="davs://a",
        destination="davs://b",
        started_at=NOW,
        finished_at=NOW,
        size_bytes=None,
        outcome="SUBMITTED",
        failure="network",
        reason="no answer",
    )
    link = ServiceLink(source="a", destination="b", queued=3, active=1, finished=7, failed=2, size_bytes=9)
    observed = SiteObservation(
        facts=SiteFacts(
            condition=condition("PIC", availability=NO_WRITE, attributes={}, copies_by_transfer=False),
            holds=(DRAIN,),
            rest=RESTING,
            ban="maintenance",
        ),
        links=(replace(DRAIN, kind=HoldKind.LINK, destination="CSCS"),),
        waiting=(WaitingRule(rule_id="r", dataset="/ctao/x", state="STUCK"),),
        traffic=(link,),
        failures=(attempt,),
        limits=(5, None),
    )
    explained = explain_site(observed, NOW + timedelta(minutes=5))
    assert codes(explained) == {
        "site-restricted",
        "site-drained",
        "storage-banned",
        "storage-rests",
        "fts-missing",
        "third-party-copy-missing",
        "link-paused",
        "traffic",
        "limits",
        "failures",
        "rule-waits",
    }
    assert "1 transfers active, 3 queued" in text(explained)
    healthy = explain_site(SiteObservation(facts=SiteFacts(condition=condition("PIC"))), NOW)
    assert codes(healthy) == {"site-open", "traffic"}
