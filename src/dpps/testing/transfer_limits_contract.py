"""What every implementation of ``LimitsStore`` and ``TransferHistory`` must do, with the queue that obeys.

Subclass `TransferLimitsContract` in ``tests/contract`` and give the fixture ``system`` (empty); run
`limits_machine` there too.
"""
# ruff: noqa: D102 - the names of the tests say it

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dpps.data.transfers.failures import End, Failure, FailureClass
from dpps.data.transfers.history import JobFilter, TransferHistory
from dpps.data.transfers.limits import (
    ActivityShares,
    BannedStorage,
    LimitsStore,
    LinkLimit,
    StorageLimit,
)
from dpps.data.transfers.ports import TransferQueue
from dpps.data.transfers.records import Claim, FileRequest, JobRequest, Settlement
from dpps.data.transfers.states import FileState, JobState
from dpps.domain.files import FileContent
from dpps.testing.transfer_queue_contract import NOW

__all__ = ["LimitedQueue", "TransferLimitsContract", "limits_machine"]

A, B, C = "memory://a", "memory://b", "memory://c"
ARRIVED = Settlement(state=FileState.FINISHED, found=FileContent(size_bytes=7, adler32="00000001"))


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitedQueue:
    """A queue and what steers and shows it."""

    queue: TransferQueue
    limits: LimitsStore
    history: TransferHistory

    def submit(
        self, source: str, destination: str, activity: str = "default", *, count: int = 1, priority: int = 3
    ) -> UUID:
        """Submit files between two storages; return the job's id."""
        files = tuple(
            FileRequest(
                sources=(f"{source}/{index}",),
                destination=f"{destination}/{uuid4().hex}",
                activity=activity,
                metadata={"name": f"/ctao/{activity}/{index}"},
            )
            for index in range(count)
        )
        return self.queue.submit(JobRequest(job_id=uuid4(), files=files, priority=priority), NOW)

    def limit(self, *links: LinkLimit) -> None:
        """Set the limits of links."""
        self.limits.change_limits(lambda old: old.model_copy(update={"links": links}))

    def limit_storages(self, *storages: StorageLimit) -> None:
        """Set the limits of storages."""
        self.limits.change_limits(lambda old: old.model_copy(update={"storages": storages}))

    def ban(self, *storages: str) -> None:
        """Ban exactly these storages."""
        bans = tuple(BannedStorage(storage=one, banned_at=NOW) for one in storages)
        self.limits.change_limits(lambda old: old.model_copy(update={"bans": bans}))

    def share(self, **weights: float) -> None:
        """Set the weights of activities."""
        shares = {"ctao": ActivityShares(weights=weights)}
        self.limits.change_limits(lambda old: old.model_copy(update={"shares": shares}))

    def claims(self, now: datetime = NOW) -> list[Claim]:
        """Claim until nothing more may start."""
        found: list[Claim] = []
        while (claim := self.queue.claim(1, now)) is not None:
            found.append(claim)
        return found


class TransferLimitsContract:
    """The suite."""

    def test_what_was_set_is_given_back(self, system: LimitedQueue) -> None:
        system.limit(LinkLimit(symbolicname="a-b", source=A, destination=B, max_active=2))
        system.share(user=1, production=4)
        system.ban(C)
        found = system.limits.limits()
        assert found.links[0].max_active == 2
        assert found.shares["ctao"].weight("production") == 4
        assert found.bans[0].storage == C

    def test_a_link_moves_no_more_than_its_limit(self, system: LimitedQueue) -> None:
        system.submit(A, B, count=5)
        system.submit(A, C, count=2)
        system.limit(LinkLimit(symbolicname="a-b", source=A, destination=B, max_active=2))
        claims = system.claims()
        assert Counter(one.lane.destination for one in claims) == {B: 2, C: 2}
        ended = next(one for one in claims if one.lane.destination == B)
        assert system.queue.settle(ended, ARRIVED, NOW)
        assert [one.lane.destination for one in system.claims()] == [B]

    def test_the_limit_that_names_a_link_most_closely_counts(self, system: LimitedQueue) -> None:
        system.submit(A, B, count=5)
        system.submit(C, B, count=5)
        system.limit(
            LinkLimit(symbolicname="all", max_active=1),
            LinkLimit(symbolicname="a-b", source=A, destination=B, max_active=3),
        )
        assert Counter(one.lane.source for one in system.claims()) == {A: 3, C: 1}

    def test_a_storage_is_read_and_written_no_more_than_its_limits(self, system: LimitedQueue) -> None:
        system.submit(A, B, count=5)
        system.submit(A, C, count=5)
        system.submit(C, B, count=5)
        system.limit_storages(
            StorageLimit(storage=B, inbound_max_active=4), StorageLimit(storage=A, outbound_max_active=3)
        )
        claims = system.claims()
        assert sum(one.lane.source == A for one in claims) == 3
        assert sum(one.lane.destination == B for one in claims) <= 4

    def test_nothing_starts_at_a_banned_storage(self, system: LimitedQueue) -> None:
        system.submit(A, B)
        system.submit(B, C)
        system.submit(A, C)
        system.ban(B)
        assert [(one.lane.source, one.lane.destination) for one in system.claims()] == [(A, C)]
        system.ban()
        assert len(system.claims()) == 2

    def test_what_waits_for_a_storage_is_canceled(self, system: LimitedQueue) -> None:
        job_id, other = system.submit(A, B, count=3), system.submit(A, C)
        assert system.queue.cancel_for_storage(B, "banned", NOW) == 3
        canceled, kept = system.queue.jobs([job_id, other])
        assert canceled is not None
        assert kept is not None
        assert (canceled.state, kept.state) == (JobState.CANCELED, JobState.SUBMITTED)
        assert canceled.files[0].reason == "banned"

    def test_activities_start_files_by_their_weights(self, system: LimitedQueue) -> None:
        system.submit(A, B, "production", count=40, priority=5)
        system.submit(A, B, "user", count=40, priority=1)
        system.share(production=3, user=1)
        first = [one for one in (system.queue.claim(1, NOW) for _ in range(20)) if one is not None]
        assert Counter(one.lane.activity for one in first) == {"production": 15, "user": 5}

    def test_a_storage_that_does_not_answer_rests_and_is_tried_by_one_file(
        self, system: LimitedQueue
    ) -> None:
        system.submit(A, B, count=6)
        down = Failure(kind=FailureClass.NETWORK, reason="no answer", end=End.DESTINATION)
        again = Settlement(state=FileState.SUBMITTED, reason="no answer", due_at=NOW, failure=down)
        for _ in range(3):
            claim = system.queue.claim(1, NOW)
            assert claim is not None
            system.queue.settle(claim, again, NOW)
        (resting,) = system.history.breakers()
        assert (resting.storage, resting.failures) == (B, 3)
        assert resting.rests_until is not None
        assert system.claims() == []

        (probe,) = system.claims(resting.rests_until)
        system.queue.settle(probe, ARRIVED, resting.rests_until)

        assert system.history.breakers() == []
        assert len(system.claims(resting.rests_until)) == 5

    def test_every_attempt_is_kept_with_its_end(self, system: LimitedQueue) -> None:
        system.submit(A, B, "production")
        claim = system.queue.claim(1, NOW)
        assert claim is not None
        full = Failure(kind=FailureClass.DESTINATION_FULL, reason="full")
        again = Settlement(state=FileState.SUBMITTED, reason="full", due_at=NOW, failure=full)
        later = NOW + timedelta(seconds=9)
        system.queue.settle(claim, again, later)
        second = system.queue.claim(1, later)
        assert second is not None
        system.queue.settle(second, ARRIVED, later + timedelta(seconds=1))

        newest, oldest = system.history.attempts(name="/ctao/production/0")
        assert (oldest.number, oldest.failure, oldest.reason) == (1, "destination-full", "full")
        assert (oldest.started_at, oldest.finished_at, oldest.size_bytes) == (NOW, later, None)
        assert (newest.number, newest.outcome, newest.size_bytes) == (2, FileState.FINISHED, 7)
        assert newest.lane.activity == "production"
        assert system.history.attempts(name="/ctao/other") == []
        assert system.history.attempts(since=later + timedelta(seconds=1)) == [newest]
        assert system.history.attempts(file_id=claim.file_id, limit=1) == [newest]

    def test_links_show_what_they_do(self, system: LimitedQueue) -> None:
        system.submit(A, B, count=3)
        claim = system.queue.claim(1, NOW)
        assert claim is not None
        system.queue.settle(claim, ARRIVED, NOW)
        assert system.queue.claim(1, NOW) is not None
        (link,) = system.history.links(NOW)
        assert (link.source, link.destination, link.queued, link.active) == (A, B, 1, 1)
        assert (link.finished, link.failed, link.size_bytes) == (1, 0, 7)

    def test_jobs_are_found_by_state_and_storage(self, system: LimitedQueue) -> None:
        first, second = system.submit(A, B), system.submit(A, C)
        assert set(system.history.job_ids(JobFilter())) == {first, second}
        assert system.history.job_ids(JobFilter(destination=C)) == [second]
        assert system.history.job_ids(JobFilter(source=C)) == []
        assert system.history.job_ids(JobFilter(states=(FileState.FINISHED,))) == []
        assert len(system.history.job_ids(JobFilter(limit=1))) == 1


_STORAGES = st.sampled_from([A, B, C])


def limits_machine(make: Callable[[], LimitedQueue]) -> type[RuleBasedStateMachine]:
    """Return a state machine that plays with limits, and checks that they hold and starve nobody."""

    class LimitsMachine(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.system = make()
            self.moving: list[Claim] = []
            self.most: dict[tuple[str, str], int] = {}
            self.banned: set[str] = set()

        @rule(source=_STORAGES, destination=_STORAGES, activity=st.sampled_from(["x", "y"]))
        def submit(self, source: str, destination: str, activity: str) -> None:
            self.system.submit(source, destination, activity, count=2)

        @rule(source=_STORAGES, destination=_STORAGES, most=st.integers(1, 3))
        def limit(self, source: str, destination: str, most: int) -> None:
            self.most[source, destination] = most
            self._set()

        @rule(source=_STORAGES, destination=_STORAGES)
        def lift(self, source: str, destination: str) -> None:
            self.most.pop((source, destination), None)
            self._set()

        @rule(storages=st.sets(_STORAGES, max_size=2))
        def ban(self, storages: set[str]) -> None:
            self.banned = storages
            self.system.ban(*storages)

        @rule(x=st.integers(1, 5), y=st.integers(1, 5))
        def share(self, x: int, y: int) -> None:
            self.system.share(x=x, y=y)

        @rule()
        def claim(self) -> None:
            before = Counter((one.lane.source, one.lane.destination) for one in self.moving)
            claim = self.system.queue.claim(1, NOW)
            if claim is None:
                return
            link = (claim.lane.source, claim.lane.destination)
            assert before[link] < self.most.get(link, 1000)
            assert not self.banned & set(link)
            self.moving.append(claim)

        @precondition(lambda self: self.moving)
        @rule(data=st.data())
        def arrive(self, data: st.DataObject) -> None:
            claim = data.draw(st.sampled_from(self.moving))
            self.moving.remove(claim)
            assert self.system.queue.settle(claim, ARRIVED, NOW)

        @invariant()
        def active_is_what_was_claimed(self) -> None:
            assert self.system.queue.summary().active == len(self.moving)

        def teardown(self) -> None:
            """Nobody starves: without bans everything that waits arrives."""
            self.system.ban()
            for _ in range(1000):
                for claim in [*self.moving, *self.system.claims()]:
                    self.system.queue.settle(claim, ARRIVED, NOW)
                self.moving = []
                if self.system.queue.summary().waiting == 0:
                    return
            raise AssertionError("something waits for ever")

        def _set(self) -> None:
            self.system.limit(
                *(
                    LinkLimit(symbolicname=f"{a} {b}", source=a, destination=b, max_active=most)
                    for (a, b), most in self.most.items()
                )
            )

    return LimitsMachine
