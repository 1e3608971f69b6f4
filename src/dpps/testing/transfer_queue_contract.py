"""What every implementation of the ``TransferQueue`` port must do.

Subclass `TransferQueueContract` in ``tests/contract`` and give the fixtures ``queue`` (empty) and ``kill``
(ends a worker's session by force, from outside).
"""
# ruff: noqa: D102 - the names of the tests say it

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from dpps.data.transfers.ports import TransferQueue, WorkerSession
from dpps.data.transfers.records import Claim, FileRequest, JobRequest, Settlement, TransferFile
from dpps.data.transfers.states import FileState, JobState, JobType
from dpps.domain.errors import Conflict, Unavailable
from dpps.domain.files import FileContent

__all__ = ["NOW", "Kill", "TransferQueueContract", "build_job"]

Kill = Callable[[WorkerSession], None]

NOW = datetime(2026, 2, 14, 22, tzinfo=UTC)
FINISHED = Settlement(state=FileState.FINISHED)


def build_job(*destinations: str, **values: Any) -> JobRequest:
    """Return a job with one file for each destination."""
    files = tuple(
        FileRequest(sources=(f"memory://a/{name}",), destination=f"memory://b/{name}", metadata={"n": name})
        for name in destinations
    )
    job_id: UUID = values.pop("job_id", None) or uuid4()
    return JobRequest(job_id=job_id, files=files, **values)


def _claim(queue: TransferQueue, worker: WorkerSession, now: datetime = NOW) -> Claim:
    claim = queue.claim(worker.number, now)
    assert claim is not None
    return claim


def _file(queue: TransferQueue, job_id: UUID, position: int = 0) -> TransferFile:
    (job,) = queue.jobs([job_id])
    assert job is not None
    return job.files[position]


def _state(queue: TransferQueue, job_id: UUID) -> JobState:
    (job,) = queue.jobs([job_id])
    assert job is not None
    return job.state


class TransferQueueContract:
    """The suite."""

    def test_a_job_is_given_back_as_it_was_submitted(self, queue: TransferQueue) -> None:
        wanted = FileRequest(
            sources=("memory://a/1", "memory://c/1"),
            destination="memory://b/1",
            checksum="ADLER32:00000001",
            size_bytes=7,
            metadata={"request_id": "r", "deep": {"er": [1, None, "ü"]}},
        )
        job_id = uuid4()
        request = JobRequest(
            job_id=job_id,
            files=(wanted,),
            job_type=JobType.MULTIPLE_REPLICA,
            priority=5,
            metadata={"issuer": "rucio"},
        )

        assert queue.submit(request, NOW) == job_id

        unknown, job = queue.jobs([uuid4(), job_id])
        assert unknown is None
        assert job is not None
        assert (job.state, job.job_type, job.priority) == (JobState.SUBMITTED, JobType.MULTIPLE_REPLICA, 5)
        assert (job.submitted_at, job.metadata, job.finished_at) == (NOW, {"issuer": "rucio"}, None)
        assert job.files[0].request == wanted

    def test_the_highest_priority_then_the_oldest_goes_first(self, queue: TransferQueue) -> None:
        worker = queue.enrol()
        queue.submit(build_job("a", "b", priority=2), NOW)
        urgent = build_job("c", priority=3)
        queue.submit(urgent, NOW)
        last = build_job("d", priority=1)
        queue.submit(last, NOW)
        assert queue.prioritise(last.job_id, 5) is not None
        assert queue.prioritise(uuid4(), 5) is None

        order = [_claim(queue, worker).request.metadata["n"] for _ in range(4)]

        assert order == ["d", "c", "a", "b"]
        assert queue.claim(worker.number, NOW) is None
        worker.close()

    def test_a_finished_file_says_when_and_what(self, queue: TransferQueue) -> None:
        worker = queue.enrol()
        job_id = queue.submit(build_job("a"), NOW)
        started, finished = NOW + timedelta(seconds=5), NOW + timedelta(seconds=9)
        claim = _claim(queue, worker, started)
        assert _state(queue, job_id) is JobState.ACTIVE
        found = FileContent(size_bytes=3, adler32="00000001")

        assert queue.settle(claim, Settlement(state=FileState.FINISHED, found=found), finished)

        file = _file(queue, job_id)
        assert (file.state, file.started_at, file.finished_at) == (FileState.FINISHED, started, finished)
        assert (file.found, file.attempts) == (found, 1)
        assert not queue.settle(claim, FINISHED, finished), "a claim ends once"
        worker.close()

    def test_a_failed_attempt_waits_until_it_is_due(self, queue: TransferQueue) -> None:
        worker = queue.enrol()
        job_id = queue.submit(build_job("a"), NOW)
        due = NOW + timedelta(seconds=60)
        again = Settlement(state=FileState.SUBMITTED, reason="full", due_at=due)
        assert queue.settle(_claim(queue, worker), again, NOW)

        assert queue.claim(worker.number, due - timedelta(seconds=1)) is None
        assert (queue.summary().waiting, queue.summary().next_due_at) == (1, due)
        assert _file(queue, job_id).reason == "full"
        claim = _claim(queue, worker, due)
        assert (claim.attempts, claim.number) == (1, 2)
        worker.close()

    def test_the_next_source_is_remembered(self, queue: TransferQueue) -> None:
        worker = queue.enrol()
        wanted = FileRequest(sources=("memory://a/1", "memory://c/1"), destination="memory://b/1")
        queue.submit(JobRequest(job_id=uuid4(), files=(wanted,)), NOW)
        settlement = Settlement(state=FileState.SUBMITTED, due_at=NOW, source_position=1)
        queue.settle(_claim(queue, worker), settlement, NOW)

        assert _claim(queue, worker).source == "memory://c/1"
        worker.close()

    def test_dead_workers_lose_their_files_and_living_ones_do_not(
        self, queue: TransferQueue, kill: Kill
    ) -> None:
        dying, living = queue.enrol(), queue.enrol()
        queue.submit(build_job("a", "b"), NOW)
        lost, kept = _claim(queue, dying), _claim(queue, living)
        assert queue.recover(NOW) == 0

        kill(dying)
        dying.close()

        assert queue.recover(NOW) == 1
        assert queue.cancel_requested(lost)
        assert not queue.cancel_requested(kept)
        taken_up = _claim(queue, living)
        assert (taken_up.file_id, taken_up.number, taken_up.attempts) == (lost.file_id, 2, 0)
        assert not queue.settle(lost, FINISHED, NOW)
        assert queue.settle(taken_up, FINISHED, NOW)
        assert queue.settle(kept, FINISHED, NOW)
        living.close()

    def test_a_worker_learns_that_its_session_ended_and_may_come_back(
        self, queue: TransferQueue, kill: Kill
    ) -> None:
        session = queue.enrol()
        with pytest.raises(Conflict):
            queue.enrol(session.number)
        queue.submit(build_job("a"), NOW)
        claim = _claim(queue, session)
        kill(session)
        with pytest.raises(Unavailable):
            _wait_for_ever(session)
        session.close()

        returned = queue.enrol(session.number)

        assert queue.recover(NOW) == 0
        assert queue.settle(claim, FINISHED, NOW)
        returned.close()

    def test_one_destination_is_written_by_one_worker(self, queue: TransferQueue) -> None:
        worker = queue.enrol()
        queue.submit(build_job("same", fingerprint="1"), NOW)
        queue.submit(build_job("same", fingerprint="2"), NOW)
        first = _claim(queue, worker)

        assert queue.claim(worker.number, NOW) is None
        queue.settle(first, FINISHED, NOW)
        assert _claim(queue, worker).request == first.request
        worker.close()

    def test_a_repeated_submission_is_one_job(self, queue: TransferQueue) -> None:
        worker = queue.enrol()
        first = queue.submit(build_job("a", fingerprint="f"), NOW)
        assert queue.submit(build_job("a", fingerprint="f"), NOW) == first
        assert queue.submit(build_job("a", fingerprint="f", job_id=first), NOW) == first
        with pytest.raises(Conflict):
            queue.submit(build_job("b", fingerprint="g", job_id=first), NOW)
        queue.settle(_claim(queue, worker), FINISHED, NOW)

        assert queue.submit(build_job("a", fingerprint="f", job_id=first), NOW) == first
        assert queue.submit(build_job("a", fingerprint="f"), NOW) != first
        worker.close()

    def test_what_waits_is_canceled_at_once(self, queue: TransferQueue) -> None:
        job_id = queue.submit(build_job("a", "b"), NOW)

        canceled, unknown = queue.cancel([job_id, uuid4()], NOW)

        assert unknown is None
        assert canceled is not None
        assert canceled.state is JobState.CANCELED
        assert canceled.finished_at == NOW
        assert canceled.files[0].reason

    def test_what_is_active_is_asked_to_stop(self, queue: TransferQueue) -> None:
        worker = queue.enrol()
        job_id = queue.submit(build_job("a"), NOW)
        claim = _claim(queue, worker)
        assert not queue.cancel_requested(claim)

        queue.cancel([job_id], NOW)

        assert _state(queue, job_id) is JobState.ACTIVE
        assert queue.cancel_requested(claim)
        retry = Settlement(state=FileState.SUBMITTED, due_at=NOW, counted=False)
        assert queue.settle(claim, retry, NOW)
        assert _state(queue, job_id) is JobState.CANCELED
        worker.close()

    def test_a_canceled_file_of_a_dead_worker_is_cleaned_under_a_claim(
        self, queue: TransferQueue, kill: Kill
    ) -> None:
        dying, living = queue.enrol(), queue.enrol()
        job_id = queue.submit(build_job("a"), NOW)
        _claim(queue, dying)
        kill(dying)
        dying.close()
        queue.recover(NOW)
        queue.cancel([job_id], NOW)

        claim = _claim(queue, living)

        assert claim.cancel_requested
        queue.settle(claim, Settlement(state=FileState.CANCELED), NOW)
        assert _state(queue, job_id) is JobState.CANCELED
        living.close()

    def test_cancel_comes_too_late_for_what_is_final(self, queue: TransferQueue) -> None:
        worker = queue.enrol()
        job_id = queue.submit(build_job("a", "b"), NOW)
        queue.settle(_claim(queue, worker), FINISHED, NOW)
        queue.cancel([job_id], NOW)
        assert _state(queue, job_id) is JobState.FINISHEDDIRTY
        worker.close()

    def test_hops_are_moved_in_order(self, queue: TransferQueue) -> None:
        worker = queue.enrol()
        job_id = queue.submit(build_job("one", "two", job_type=JobType.MULTI_HOP), NOW)
        first = _claim(queue, worker)
        assert queue.claim(worker.number, NOW) is None
        queue.settle(first, FINISHED, NOW)
        assert _state(queue, job_id) is JobState.ACTIVE

        second = _claim(queue, worker)

        assert second.request.metadata["n"] == "two"
        queue.settle(second, FINISHED, NOW)
        assert _state(queue, job_id) is JobState.FINISHED
        worker.close()

    def test_a_broken_hop_breaks_the_path(self, queue: TransferQueue) -> None:
        worker = queue.enrol()
        job_id = queue.submit(build_job("one", "two", job_type=JobType.MULTI_HOP), NOW)
        queue.settle(_claim(queue, worker), Settlement(state=FileState.FAILED, reason="gone"), NOW)

        assert queue.claim(worker.number, NOW) is None
        assert _state(queue, job_id) is JobState.FAILED
        assert _file(queue, job_id, 1).state is FileState.NOT_USED
        worker.close()

    def test_old_finished_jobs_are_forgotten(self, queue: TransferQueue) -> None:
        worker = queue.enrol()
        done, waiting = queue.submit(build_job("a"), NOW), queue.submit(build_job("b"), NOW)
        queue.settle(_claim(queue, worker), FINISHED, NOW)

        assert queue.purge(NOW) == 0
        assert queue.purge(NOW + timedelta(days=1)) == 1
        assert queue.jobs([done]) == [None]
        assert _state(queue, waiting) is JobState.SUBMITTED
        worker.close()

    def test_a_waiting_worker_is_woken(self, queue: TransferQueue) -> None:
        from concurrent.futures import ThreadPoolExecutor

        session = queue.enrol()
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(session.wait, 60)
            # Submissions go on until one falls into the wait: no order of the two threads is assumed.
            while not waiting.done():
                queue.submit(build_job("a"), NOW)
        assert waiting.result()
        session.close()


def _wait_for_ever(session: WorkerSession) -> None:
    while True:  # what was announced before the end of the session may be heard first
        session.wait(10)
