"""Plays with a transfer queue at random and checks what must always hold."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dpps.data.transfers.ports import TransferQueue
from dpps.data.transfers.records import Claim, Settlement, TransferFile
from dpps.data.transfers.states import FINAL_STATES, TRANSITIONS, FileState, JobType
from dpps.testing.transfer_queue_contract import NOW, Kill, build_job

__all__ = ["queue_machine"]


def queue_machine(make_queue: Callable[[], TransferQueue], kill: Kill) -> type[RuleBasedStateMachine]:
    """Return a state machine that plays with a queue and checks what must always hold."""

    class QueueMachine(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.queue = make_queue()
            self.now = NOW
            self.workers = [self.queue.enrol(), self.queue.enrol()]
            self.jobs: list[UUID] = []
            self.claims: list[Claim] = []
            self.claimed: set[tuple[int, int]] = set()
            self.seen: dict[int, FileState] = {}

        def teardown(self) -> None:
            for worker in self.workers:
                worker.close()

        @rule(
            names=st.lists(st.sampled_from("abc"), min_size=1, max_size=3, unique=True),
            priority=st.integers(1, 5),
            path=st.booleans(),
        )
        def submit(self, names: list[str], priority: int, path: bool) -> None:
            kind = JobType.MULTI_HOP if path else JobType.REGULAR
            self.jobs.append(self.queue.submit(build_job(*names, priority=priority, job_type=kind), self.now))

        @rule(which=st.integers(0, 1))
        def claim(self, which: int) -> None:
            due = self._due()
            claim = self.queue.claim(self.workers[which].number, self.now)
            if claim is None:
                assert not due
                return
            assert claim.file_id == due[0].file_id
            assert (claim.file_id, claim.number) not in self.claimed
            self.claimed.add((claim.file_id, claim.number))
            self.claims.append(claim)

        @precondition(lambda self: self.claims)
        @rule(
            data=st.data(),
            state=st.sampled_from(
                [FileState.FINISHED, FileState.FAILED, FileState.CANCELED, FileState.SUBMITTED]
            ),
            delay=st.integers(0, 20),
        )
        def settle(self, data: st.DataObject, state: FileState, delay: int) -> None:
            claim = data.draw(st.sampled_from(self.claims))
            before = self._files()[claim.file_id]
            held = before.state is FileState.ACTIVE and self._newest(claim)
            due = self.now + timedelta(seconds=delay)
            settled = self.queue.settle(claim, Settlement(state=state, due_at=due), self.now)
            assert settled is held
            if not settled:
                assert self._files()[claim.file_id] == before

        @precondition(lambda self: self.jobs)
        @rule(data=st.data())
        def cancel(self, data: st.DataObject) -> None:
            self.queue.cancel([data.draw(st.sampled_from(self.jobs))], self.now)

        @precondition(lambda self: self.jobs)
        @rule(data=st.data(), priority=st.integers(1, 5))
        def prioritise(self, data: st.DataObject, priority: int) -> None:
            job = self.queue.prioritise(data.draw(st.sampled_from(self.jobs)), priority)
            assert job is not None
            assert job.priority == priority

        @rule(which=st.integers(0, 1))
        def a_worker_dies(self, which: int) -> None:
            dead = self.workers[which].number
            kill(self.workers[which])
            self.workers[which].close()
            lost = self._held_by(dead)
            self.workers[which] = self.queue.enrol()
            assert self.queue.recover(self.now) == lost

        @rule(seconds=st.integers(1, 30))
        def time_passes(self, seconds: int) -> None:
            self.now += timedelta(seconds=seconds)

        @invariant()
        def what_must_always_hold(self) -> None:
            files = self._files()
            active = [file for file in files.values() if file.state is FileState.ACTIVE]
            assert len({file.request.destination for file in active}) == len(active)
            assert self.queue.summary().active == len(active)
            for file_id, file in files.items():
                old = self.seen.get(file_id, file.state)
                assert file.state is old or file.state in TRANSITIONS[old]
                assert (file.finished_at is not None) is (file.state in FINAL_STATES)
                self.seen[file_id] = file.state

        def _files(self) -> dict[int, TransferFile]:
            found = [job for job in self.queue.jobs(self.jobs) if job is not None]
            assert len(found) == len(self.jobs)
            return {file.file_id: file for job in found for file in job.files}

        def _due(self) -> list[TransferFile]:
            files = list(self._files().values())
            busy = {file.request.destination for file in files if file.state is FileState.ACTIVE}
            due = [
                file
                for file in files
                if file.state is FileState.SUBMITTED
                and file.due_at <= self.now
                and file.request.destination not in busy
            ]
            return sorted(due, key=lambda file: (-file.priority, file.file_id))

        def _newest(self, claim: Claim) -> bool:
            return claim.number == max(n for file_id, n in self.claimed if file_id == claim.file_id)

        def _held_by(self, worker: int) -> int:
            files = self._files()
            return sum(
                claim.worker == worker
                and self._newest(claim)
                and files[claim.file_id].state is FileState.ACTIVE
                for claim in self.claims
            )

    return QueueMachine
