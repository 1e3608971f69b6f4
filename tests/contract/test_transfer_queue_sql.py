"""The transfer queue in PostgreSQL keeps the contract."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import Engine, text

from dpps.adapters.sql.engine import build_engine, migrate
from dpps.adapters.sql.transfer_limits import SqlTransferHistory, SqlTransferLimits
from dpps.adapters.sql.transfer_queue import SqlTransferQueue
from dpps.data.transfers.limits import LinkLimit
from dpps.data.transfers.ports import WorkerSession
from dpps.testing.postgresql import PostgresqlCluster, postgresql_cluster
from dpps.testing.transfer_limits_contract import LimitedQueue, TransferLimitsContract, limits_machine
from dpps.testing.transfer_queue_contract import NOW, Kill, TransferQueueContract, build_job
from dpps.testing.transfer_queue_machine import queue_machine

__all__ = ["postgresql_cluster"]

pytestmark = pytest.mark.postgresql

DATABASE = "contract_transfer_queue"


@pytest.fixture(scope="module")
def migrated(postgresql_cluster: PostgresqlCluster) -> Iterator[Engine]:
    url = postgresql_cluster.create(DATABASE)
    migrate(url)
    engine = build_engine(url)
    yield engine
    engine.dispose()
    postgresql_cluster.drop(DATABASE)


@pytest.fixture
def engine(migrated: Engine) -> Engine:
    _empty(migrated)
    return migrated


def _empty(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("TRUNCATE transfers.job, transfers.breaker, transfers.hold CASCADE"))
        connection.execute(text("UPDATE transfers.limits SET document = '{}', served = '{}'"))


def _killer(engine: Engine) -> Kill:
    """Return a way to cut a worker's connection, as the death of its process would."""

    def kill(session: WorkerSession) -> None:
        with engine.connect() as connection:
            ended = connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid, 10000) FROM pg_locks WHERE locktype = 'advisory'"
                    " AND objsubid = 2 AND objid = :number AND pid <> pg_backend_pid()"
                ),
                {"number": session.number},
            )
            assert ended.scalars().all() == [True]

    return kill


class TestSqlTransferQueue(TransferQueueContract):
    @pytest.fixture
    def queue(self, engine: Engine) -> SqlTransferQueue:
        return SqlTransferQueue(engine)

    @pytest.fixture
    def kill(self, engine: Engine) -> Kill:
        return _killer(engine)


class TestSqlTransferLimits(TransferLimitsContract):
    @pytest.fixture
    def system(self, engine: Engine) -> LimitedQueue:
        return _limited(engine)


def _limited(engine: Engine) -> LimitedQueue:
    return LimitedQueue(
        queue=SqlTransferQueue(engine), limits=SqlTransferLimits(engine), history=SqlTransferHistory(engine)
    )


def test_limits_hold_whatever_happens(engine: Engine) -> None:
    def make() -> LimitedQueue:
        _empty(engine)
        return _limited(engine)

    run_state_machine_as_test(
        limits_machine(make), settings=settings(max_examples=10, stateful_step_count=25, deadline=None)
    )


def test_limits_hold_among_workers_that_claim_at_the_same_time(engine: Engine) -> None:
    system = _limited(engine)
    system.limits.change_limits(
        lambda old: old.model_copy(update={"links": (LinkLimit(symbolicname="any", max_active=3),)})
    )
    system.queue.submit(build_job(*map(str, range(40))), NOW)
    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda number: system.queue.claim(number, NOW), range(1, 9)))
    assert sum(claim is not None for claim in claims) == 3


def test_the_states_of_the_queue(engine: Engine) -> None:
    def make_queue() -> SqlTransferQueue:
        _empty(engine)
        return SqlTransferQueue(engine)

    run_state_machine_as_test(
        queue_machine(make_queue, _killer(engine)),
        settings=settings(max_examples=10, stateful_step_count=20, deadline=None),
    )


def test_every_change_is_in_the_history(engine: Engine) -> None:
    queue = SqlTransferQueue(engine)
    session = queue.enrol()
    job_id = queue.submit(build_job("a"), NOW)
    assert queue.claim(session.number, NOW) is not None
    _killer(engine)(session)
    session.close()
    queue.recover(NOW)
    queue.cancel([job_id], NOW)

    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT old_state, new_state, reason FROM transfers.history ORDER BY id")
        ).all()
    assert [tuple(row) for row in rows] == [
        ("SUBMITTED", "ACTIVE", ""),
        ("ACTIVE", "SUBMITTED", "the worker died; taken up again"),
    ]
