"""The threads of the transfer service, on a queue and a storage in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from dpps.adapters.memory.storage import MemoryStorage
from dpps.adapters.memory.transfer_queue import MemoryTransferQueue
from dpps.data.transfers.records import Claim, FileRequest, JobRequest, Settlement
from dpps.data.transfers.states import FileState
from dpps.domain.errors import Unavailable
from dpps.domain.files import FileContent
from dpps.services.transfers.crew import Crew

WAIT_SECONDS = 60


class BlockingStorage(MemoryStorage):
    """Copies only when told to, asking all the while whether to go on."""

    def __init__(self) -> None:
        super().__init__()
        self.copying = threading.Event()
        self.go_on = threading.Event()

    def copy_aside(
        self, source_url: str, destination_url: str, token: str, proceed: Callable[[], None]
    ) -> tuple[FileContent, FileContent]:
        self.copies[destination_url, token] = b"half"
        self.copying.set()
        while not self.go_on.wait(0.01):
            proceed()
        return super().copy_aside(source_url, destination_url, token, proceed)


class Watch:
    """Collects what the crew reports."""

    def __init__(self) -> None:
        self.settled: list[Settlement] = []
        self._changed = threading.Condition()

    def record(self, claim: Claim, settlement: Settlement, seconds: float) -> None:
        with self._changed:
            self.settled.append(settlement)
            self._changed.notify_all()

    def await_settled(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.settled) >= count, WAIT_SECONDS)


@pytest.fixture
def queue() -> MemoryTransferQueue:
    return MemoryTransferQueue()


@pytest.fixture
def storage() -> BlockingStorage:
    return BlockingStorage()


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def crew(queue: MemoryTransferQueue, storage: BlockingStorage, watch: Watch) -> Iterator[Crew]:
    failures = iter([Unavailable("not yet")])

    def prepare() -> None:
        for failure in failures:
            raise failure

    crew = Crew(
        queue, queue, storage, prepare=prepare, workers=2, memory=timedelta(days=1), record=watch.record
    )
    assert crew.problem
    crew.start()
    yield crew
    crew.stop()


def _submit(queue: MemoryTransferQueue, storage: MemoryStorage, name: str) -> JobRequest:
    storage.files[f"memory://a/{name}"] = name.encode()
    wanted = FileRequest(sources=(f"memory://a/{name}",), destination=f"memory://b/{name}")
    request = JobRequest(job_id=uuid4(), files=(wanted,))
    queue.submit(request, datetime.now(UTC))
    return request


def _state(queue: MemoryTransferQueue, request: JobRequest) -> FileState:
    (job,) = queue.jobs([request.job_id])
    assert job is not None
    return job.files[0].state


def test_files_are_moved_once_the_queue_answers(
    crew: Crew, queue: MemoryTransferQueue, storage: BlockingStorage, watch: Watch
) -> None:
    storage.go_on.set()
    requests = [_submit(queue, storage, str(index)) for index in range(10)]

    watch.await_settled(10)

    assert {_state(queue, request) for request in requests} == {FileState.FINISHED}
    assert crew.problem is None


def test_a_copy_under_way_is_canceled(
    crew: Crew, queue: MemoryTransferQueue, storage: BlockingStorage, watch: Watch
) -> None:
    request = _submit(queue, storage, "x")
    assert storage.copying.wait(WAIT_SECONDS)

    queue.cancel([request.job_id], datetime.now(UTC))
    watch.await_settled(1)

    assert _state(queue, request) is FileState.CANCELED
    assert not storage.copies
    assert "memory://b/x" not in storage.files


def test_stopping_gives_the_file_back_uncounted(
    crew: Crew, queue: MemoryTransferQueue, storage: BlockingStorage, watch: Watch
) -> None:
    request = _submit(queue, storage, "x")
    assert storage.copying.wait(WAIT_SECONDS)

    crew.stop()

    assert _state(queue, request) is FileState.SUBMITTED
    (job,) = queue.jobs([request.job_id])
    assert job is not None
    assert job.files[0].attempts == 0
    assert not storage.copies


def test_a_bug_is_a_failed_attempt_and_not_the_end(
    crew: Crew, queue: MemoryTransferQueue, storage: BlockingStorage, watch: Watch
) -> None:
    def broken(url: str) -> int | None:
        raise RuntimeError("a bug")

    storage.size_bytes = broken  # type: ignore[method-assign]
    _submit(queue, storage, "x")
    watch.await_settled(1)

    (settlement,) = watch.settled
    assert settlement.failure is not None
    assert "a bug" in settlement.failure.reason
    assert settlement.state is FileState.SUBMITTED
