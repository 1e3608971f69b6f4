"""The in-memory transfer queue keeps the contract."""

from __future__ import annotations

import pytest
from hypothesis import settings

from dpps.adapters.memory.transfer_queue import MemoryTransferQueue
from dpps.data.transfers.ports import WorkerSession
from dpps.testing.transfer_limits_contract import LimitedQueue, TransferLimitsContract, limits_machine
from dpps.testing.transfer_queue_contract import Kill, TransferQueueContract
from dpps.testing.transfer_queue_machine import queue_machine


def _kill(session: WorkerSession) -> None:
    session.close()


class TestMemoryTransferQueue(TransferQueueContract):
    @pytest.fixture
    def queue(self) -> MemoryTransferQueue:
        return MemoryTransferQueue()

    @pytest.fixture
    def kill(self) -> Kill:
        return _kill


class TestMemoryTransferQueueStates(queue_machine(MemoryTransferQueue, _kill).TestCase):  # type: ignore[misc]
    settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def _limited() -> LimitedQueue:
    queue = MemoryTransferQueue()
    return LimitedQueue(queue=queue, limits=queue, history=queue)


class TestMemoryTransferLimits(TransferLimitsContract):
    @pytest.fixture
    def system(self) -> LimitedQueue:
        return _limited()


class TestMemoryTransferLimitsStates(limits_machine(_limited).TestCase):  # type: ignore[misc]
    settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
