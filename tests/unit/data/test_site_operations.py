"""Drains and pauses are noted first, carried out, cut anywhere, and undone."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from dpps.adapters.http.fts import FtsClient
from dpps.adapters.memory.sites import MemoryHoldStore, MemorySiteRegister
from dpps.adapters.memory.storage import MemoryStorage
from dpps.adapters.memory.transfer_queue import MemoryTransferQueue
from dpps.data.site_operations import (
    drain_site,
    list_sites,
    pause_link,
    pause_site,
    resume_link,
    resume_site,
    show_site,
)
from dpps.data.sites import Availability, SiteCondition, SiteParts, WaitingRule
from dpps.data.transfer_steering import (
    limit_link,
    limit_storage,
    list_attempts,
    list_transfers,
    read_limits,
    read_links,
    share_activity,
    show_job,
)
from dpps.data.transfers.records import FileRequest, JobRequest
from dpps.data.transfers.states import JobState
from dpps.domain.errors import Conflict, InvalidInput, NotAuthorized, NotFound
from dpps.domain.principals import Principal, Role
from dpps.services.transfers.application import build_application
from dpps.services.transfers.crew import Crew
from dpps.services.transfers.metrics import TransferMetrics
from dpps.testing.application_client import application_client

NOW = datetime(2026, 2, 14, 22, tzinfo=UTC)
ALICE = Principal(name="alice", roles=frozenset({Role.OPERATOR}))
READER = Principal(name="bob", roles=frozenset({Role.READER}))


def _condition(rse: str) -> SiteCondition:
    return SiteCondition(
        rse=rse,
        onsite=False,
        url_prefix=f"memory://{rse.lower()}/",
        availability=Availability(),
        attributes={},
        copies_by_transfer=True,
    )


@pytest.fixture
def queue() -> MemoryTransferQueue:
    return MemoryTransferQueue()


@pytest.fixture
def parts(queue: MemoryTransferQueue) -> SiteParts:
    metrics = TransferMetrics(queue, queue)
    crew = Crew(
        queue,
        queue,
        MemoryStorage(),
        prepare=lambda: None,
        workers=1,
        memory=NOW - NOW,
        record=metrics.record,
    )
    application = build_application(queue, queue, queue, crew, metrics, "ctao")
    waiting = WaitingRule(rule_id="r1", dataset="/ctao/x", state="REPLICATING")
    return SiteParts(
        register=MemorySiteRegister([_condition("PIC"), _condition("CSCS")], [waiting]),
        holds=MemoryHoldStore(),
        transfers=FtsClient(application_client(application)),
        clock=lambda: NOW,
    )


def _availability(parts: SiteParts, rse: str = "PIC") -> Availability:
    (condition,) = parts.register.conditions([rse])
    return condition.availability


def _submit(queue: MemoryTransferQueue) -> JobRequest:
    wanted = FileRequest(
        sources=("memory://cscs/a",),
        destination="memory://pic/a",
        metadata={"name": "/ctao/a", "src_rse": "CSCS", "dst_rse": "PIC", "activity": "User"},
    )
    request = JobRequest(job_id=uuid4(), files=(wanted,))
    queue.submit(request, NOW)
    return request


def _state(queue: MemoryTransferQueue, request: JobRequest) -> JobState:
    (job,) = queue.jobs([request.job_id])
    assert job is not None
    return job.state


def test_a_drained_site_is_not_written_and_what_waited_for_it_goes_elsewhere(parts: SiteParts) -> None:
    planned = drain_site(ALICE, parts, "PIC", "disk change", dry_run=True)
    assert not planned.done
    assert _availability(parts) == Availability()
    assert parts.holds.holds() == []

    done = drain_site(ALICE, parts, "PIC", "disk change")

    assert done.steps == planned.steps
    assert _availability(parts) == Availability(write=False)
    assert parts.register.waiting_rules("PIC") == []
    condition, (hold,) = show_site(ALICE, parts, "PIC")
    assert (hold.held_by, hold.reason, hold.held_at) == ("alice", "disk change", NOW)
    assert condition.rse == "PIC"
    assert [len(holds) for _, holds in list_sites(ALICE, parts)] == [0, 1]


def test_resuming_brings_back_what_was_there_whatever_was_held_and_repeated(parts: SiteParts) -> None:
    parts.register.set_availability("PIC", Availability(delete=False))
    drain_site(ALICE, parts, "PIC", "disk change")
    drain_site(ALICE, parts, "PIC", "disk change, again")
    pause_site(ALICE, parts, "PIC", "and the network")
    pause_site(ALICE, parts, "PIC", "and the network")
    assert _availability(parts) == Availability(read=False, write=False, delete=False)
    assert len(parts.holds.holds()) == 2
    resume_site(ALICE, parts, "PIC")
    assert _availability(parts) == Availability(delete=False)
    assert parts.holds.holds() == []
    with pytest.raises(Conflict, match="neither"):
        resume_site(ALICE, parts, "PIC")


def test_a_paused_site_moves_nothing_and_what_waited_is_given_back(
    parts: SiteParts, queue: MemoryTransferQueue
) -> None:
    dropped = _submit(queue)
    pause_site(ALICE, parts, "PIC", "network works")
    assert _state(queue, dropped) is JobState.CANCELED
    _submit(queue)
    assert queue.claim(1, NOW) is None
    resume_site(ALICE, parts, "PIC")
    assert queue.claim(1, datetime.now(UTC)) is not None


def test_a_paused_link_has_no_distance_until_it_is_resumed(
    parts: SiteParts, queue: MemoryTransferQueue
) -> None:
    parts.register.set_distance("CSCS", "PIC", 7)
    dropped = _submit(queue)
    pause_link(ALICE, parts, "CSCS", "PIC", "fibre cut")
    pause_link(ALICE, parts, "CSCS", "PIC", "fibre cut, still")
    assert parts.register.distance("CSCS", "PIC") is None
    assert parts.register.distance("PIC", "CSCS") == 1
    assert _state(queue, dropped) is JobState.CANCELED
    resume_link(ALICE, parts, "CSCS", "PIC")
    assert parts.register.distance("CSCS", "PIC") == 7
    with pytest.raises(NotFound):
        resume_link(ALICE, parts, "CSCS", "PIC")


def test_limits_and_shares_are_set_and_shown_by_site(parts: SiteParts) -> None:
    assert not limit_link(ALICE, parts, "CSCS", "PIC", 2, dry_run=True).done
    assert read_limits(ALICE, parts, "ctao") == []
    limit_link(ALICE, parts, "CSCS", "PIC", 2)
    limit_storage(ALICE, parts, "PIC", inbound=5, outbound=None)
    share_activity(ALICE, parts, "ctao", "User", 2)
    found = {(one.kind, one.subject): one.value for one in read_limits(ALICE, parts, "ctao")}
    assert found == {
        ("link", "CSCS to PIC"): "2 files",
        ("storage", "PIC"): "inbound 5 files",
        ("share", "User"): "weight 2",
    }
    limit_link(ALICE, parts, "CSCS", "PIC", None)
    share_activity(ALICE, parts, "ctao", "User", None)
    assert [one.kind for one in read_limits(ALICE, parts, "ctao")] == ["storage"]


def test_transfers_are_listed_and_shown(parts: SiteParts, queue: MemoryTransferQueue) -> None:
    request = _submit(queue)
    (file,) = list_transfers(ALICE, parts, rse="PIC", activity="User")
    assert file.job_id == str(request.job_id)
    assert list_transfers(ALICE, parts, rse="CSCS", activity="Elsewhere") == []
    with pytest.raises(InvalidInput, match="NOWHERE"):
        list_transfers(ALICE, parts, rse="NOWHERE")
    with pytest.raises(InvalidInput, match="logical file name"):
        list_attempts(ALICE, parts.transfers, lfn="nope")
    assert list_transfers(ALICE, parts, state="FAILED") == []
    ((shown, failures),) = show_job(ALICE, parts.transfers, str(request.job_id))
    assert (shown.state, failures) == ("SUBMITTED", [])
    assert list_attempts(ALICE, parts.transfers) == []
    (link,) = read_links(ALICE, parts.transfers, 60.0)
    assert link.queued == 1
    with pytest.raises(NotFound, match="knows no job"):
        show_job(ALICE, parts.transfers, str(uuid4()))


def test_no_reason_no_site_and_no_right_are_refused(parts: SiteParts) -> None:
    with pytest.raises(InvalidInput, match="no reason"):
        drain_site(ALICE, parts, "PIC", " ")
    with pytest.raises(InvalidInput, match="NOWHERE"):
        pause_site(ALICE, parts, "NOWHERE", "why")
    with pytest.raises(InvalidInput, match="two sites"):
        pause_link(ALICE, parts, "PIC", "PIC", "why")
    with pytest.raises(InvalidInput, match="two sites"):
        limit_link(ALICE, parts, "PIC", "PIC", 1)
    for operation in (drain_site, pause_site):
        with pytest.raises(NotAuthorized):
            operation(READER, parts, "PIC", "why")
    with pytest.raises(NotAuthorized):
        pause_link(READER, parts, "CSCS", "PIC", "why")
    with pytest.raises(NotAuthorized):
        limit_link(READER, parts, "CSCS", "PIC", 1)
