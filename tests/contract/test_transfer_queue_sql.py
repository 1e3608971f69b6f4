"""The transfer queue in PostgreSQL keeps the contract."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import Engine, text

from dpps.adapters.sql.engine import build_engine, migrate
from dpps.adapters.sql.transfer_queue import SqlTransferQueue
from dpps.data.transfers.ports import WorkerSession
from dpps.testing.postgresql import PostgresqlCluster, postgresql_cluster
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
        connection.execute(text("TRUNCATE transfers.job CASCADE"))


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
