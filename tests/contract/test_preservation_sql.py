"""Evidence, states and findings in PostgreSQL keep the contract, and planning is quick with many copies."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, text

from dpps.adapters.sql.dataset_states import SqlDatasetStates
from dpps.adapters.sql.engine import build_engine, migrate
from dpps.adapters.sql.evidence import SqlEvidence
from dpps.adapters.sql.findings import SqlFindings
from dpps.adapters.sql.releases import SqlReleases
from dpps.domain.errors import Unavailable
from dpps.testing.postgresql import PostgresqlCluster, postgresql_cluster
from dpps.testing.preservation_contract import (
    DatasetStatesContract,
    EvidenceContract,
    FindingsContract,
    ReleasesContract,
)

__all__ = ["postgresql_cluster"]

pytestmark = pytest.mark.postgresql

_DATABASE = "contract_preservation"


@pytest.fixture(scope="module")
def migrated(postgresql_cluster: PostgresqlCluster) -> Iterator[Engine]:
    url = postgresql_cluster.create(_DATABASE)
    migrate(url)
    engine = build_engine(url)
    yield engine
    engine.dispose()
    postgresql_cluster.drop(_DATABASE)


@pytest.fixture
def engine(migrated: Engine) -> Engine:
    tables = ", ".join(
        f"preservation.{name}"
        for name in ("evidence", "release", "dataset", "cursor", "alarm", "event", "dark_file")
    )
    with migrated.begin() as connection:
        connection.execute(text(f"TRUNCATE {tables}"))
    return migrated


class TestSqlEvidence(EvidenceContract):
    @pytest.fixture
    def evidence(self, engine: Engine) -> SqlEvidence:
        return SqlEvidence(engine)

    def test_planning_reads_an_index_however_many_copies_there_are(self, engine: Engine) -> None:
        with engine.begin() as connection:
            connection.execute(
                text(
                    "INSERT INTO preservation.evidence (lfn, rse, dataset, outcome, problem, verified_at)"
                    " SELECT '/ctao/x/DL0/' || n % 1000 || '/' || n, 'PIC', '/ctao/x/DL0/' || n % 1000,"
                    " 'intact', '',"
                    " CASE WHEN n % 3 > 0 THEN timestamptz '2026-01-01Z' + n * interval '1 s' END"
                    " FROM generate_series(1, 100000) AS n"
                )
            )
            connection.execute(text("ANALYZE preservation.evidence"))
            due = connection.execute(
                text(
                    "EXPLAIN SELECT lfn FROM preservation.evidence WHERE rse = 'PIC' AND"
                    " (verified_at IS NULL OR verified_at < '2026-03-01Z')"
                    " ORDER BY verified_at NULLS FIRST, lfn LIMIT 500"
                )
            )
            plan = "\n".join(line for (line,) in due)
        assert "evidence_oldest" in plan
        assert "Sort" not in plan
        found = SqlEvidence(engine).oldest("PIC", datetime(2026, 3, 1, tzinfo=UTC), 40000)
        assert len(set(found)) == 40000
        assert all(int(one.lfn.basename) % 3 == 0 for one in found[:33333])

    def test_a_right_is_lost_with_its_connection_and_not_confirmed(self, engine: Engine) -> None:
        evidence = SqlEvidence(engine)
        end = text(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )

        def lose_it() -> None:
            with evidence.exclusive("a") as right:
                assert right is not None
                right.confirm()
                with engine.begin() as other:
                    assert other.execute(end).all() == [(True,)]
                for _ in range(2):
                    with pytest.raises(Unavailable):
                        right.confirm()

        with pytest.raises(Unavailable):
            lose_it()
        with evidence.exclusive("a") as again:
            assert again


class TestSqlReleases(ReleasesContract):
    @pytest.fixture
    def releases(self, engine: Engine) -> SqlReleases:
        return SqlReleases(engine)


class TestSqlDatasetStates(DatasetStatesContract):
    @pytest.fixture
    def states(self, engine: Engine) -> SqlDatasetStates:
        return SqlDatasetStates(engine)


class TestSqlFindings(FindingsContract):
    @pytest.fixture
    def findings(self, engine: Engine) -> SqlFindings:
        return SqlFindings(engine)
