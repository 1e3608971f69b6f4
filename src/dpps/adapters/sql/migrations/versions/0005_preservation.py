"""Preservation: evidence that copies are intact, state of datasets, alarms, events, dark files."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

SCHEMA = "preservation"
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.execute(f"CREATE SCHEMA {SCHEMA}")
    _create_evidence()
    op.create_table(
        "dataset",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("settled", sa.Boolean, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("first_seen_at", _TIME, nullable=False),
        sa.Column("looked_at", _TIME),
        sa.Column("due_at", _TIME, nullable=False),
        schema=SCHEMA,
    )
    op.create_index("dataset_due", "dataset", ["due_at"], schema=SCHEMA)
    op.create_table(
        "cursor",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("at", _TIME, nullable=False),
        schema=SCHEMA,
    )
    _create_findings()


def _create_evidence() -> None:
    op.create_table(
        "evidence",
        sa.Column("lfn", sa.Text, primary_key=True),
        sa.Column("rse", sa.Text, primary_key=True),
        sa.Column("dataset", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("verified_at", _TIME),
        sa.Column("intact_since", _TIME),
        sa.Column("size_bytes", sa.BigInteger),
        sa.Column("adler32", sa.Text),
        sa.Column("problem", sa.Text, nullable=False),
        sa.Column("released_at", _TIME),
        schema=SCHEMA,
    )
    op.create_index(
        "evidence_oldest", "evidence", ["rse", sa.text("verified_at NULLS FIRST"), "lfn"], schema=SCHEMA
    )
    op.create_index("evidence_of_dataset", "evidence", ["dataset"], schema=SCHEMA)
    op.create_index(
        "evidence_wrong",
        "evidence",
        ["rse"],
        schema=SCHEMA,
        postgresql_where=sa.text("outcome IN ('damaged', 'lost', 'unreadable')"),
    )


def _create_findings() -> None:
    op.create_table(
        "alarm",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("lfn", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("raised_at", _TIME, nullable=False),
        sa.Column("acknowledged_at", _TIME),
        sa.Column("acknowledged_by", sa.Text),
        sa.Column("acknowledgement", sa.Text),
        sa.Column("cleared_at", _TIME),
        schema=SCHEMA,
    )
    op.create_index(
        "alarm_standing",
        "alarm",
        ["lfn"],
        unique=True,
        schema=SCHEMA,
        postgresql_where=sa.text("cleared_at IS NULL"),
    )
    op.create_table(
        "event",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("rse", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        schema=SCHEMA,
    )
    op.create_table(
        "dark_file",
        sa.Column("url", sa.Text, primary_key=True),
        sa.Column("rse", sa.Text, nullable=False),
        sa.Column("temporary", sa.Boolean, nullable=False),
        sa.Column("first_seen_at", _TIME, nullable=False),
        sa.Column("last_seen_at", _TIME, nullable=False),
        schema=SCHEMA,
    )
    op.create_index("dark_file_at", "dark_file", ["rse", "last_seen_at"], schema=SCHEMA)


def downgrade() -> None:
    op.execute(f"DROP SCHEMA {SCHEMA} CASCADE")
