"""Transfers: lanes, limits and bans, breakers, attempts, and what operators hold back and why."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

SCHEMA = "transfers"


def upgrade() -> None:
    _add_lanes()
    _add_limits()
    _add_attempts()
    op.create_table(
        "hold",
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("destination", sa.Text, primary_key=True),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("held_by", sa.Text, nullable=False),
        sa.Column("held_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("remembered", postgresql.JSONB, nullable=False),
        schema=SCHEMA,
    )


def _add_lanes() -> None:
    op.create_table(
        "lane",
        sa.Column("id", sa.Integer, sa.Identity(always=True), primary_key=True),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("destination", sa.Text, nullable=False),
        sa.Column("activity", sa.Text, nullable=False),
        sa.UniqueConstraint("source", "destination", "activity"),
        schema=SCHEMA,
    )
    op.add_column("file", sa.Column("lane", sa.Integer), schema=SCHEMA)
    op.add_column("file", sa.Column("lanes", postgresql.ARRAY(sa.Integer)), schema=SCHEMA)
    # Files that are there already go by scheme and host: what limits name more closely does not cover them.
    op.execute(
        "INSERT INTO transfers.lane (source, destination, activity) SELECT DISTINCT"
        " coalesce(substring(sources[1] from '^[^:]+://[^/]*'), ''),"
        " coalesce(substring(destination from '^[^:]+://[^/]*'), ''), 'default' FROM transfers.file"
    )
    op.execute(
        "UPDATE transfers.file f SET lane = l.id, lanes = array_fill(l.id, ARRAY[cardinality(f.sources)])"
        " FROM transfers.lane l"
        " WHERE l.source = coalesce(substring(f.sources[1] from '^[^:]+://[^/]*'), '')"
        " AND l.destination = coalesce(substring(f.destination from '^[^:]+://[^/]*'), '')"
    )
    op.alter_column("file", "lane", nullable=False, schema=SCHEMA)
    op.alter_column("file", "lanes", nullable=False, schema=SCHEMA)
    op.drop_index("file_waiting", "file", schema=SCHEMA)
    op.create_index(
        "file_waiting",
        "file",
        ["lane", sa.text("priority DESC"), "id"],
        schema=SCHEMA,
        postgresql_where=sa.text("state = 'SUBMITTED'"),
    )
    op.create_index(
        "file_moving", "file", ["lane"], schema=SCHEMA, postgresql_where=sa.text("state = 'ACTIVE'")
    )
    # Rucio names the file in the metadata of its requests.
    op.create_index("file_name", "file", [sa.text("(metadata ->> 'name')")], schema=SCHEMA)


def _add_limits() -> None:
    op.create_table(
        "limits",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("document", postgresql.JSONB, nullable=False),
        sa.Column("served", postgresql.JSONB, nullable=False),
        schema=SCHEMA,
    )
    op.execute("INSERT INTO transfers.limits (id, document, served) VALUES (1, '{}', '{}')")
    op.create_table(
        "breaker",
        sa.Column("storage", sa.Text, primary_key=True),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rests_until", sa.DateTime(timezone=True)),
        schema=SCHEMA,
    )


def _add_attempts() -> None:
    op.create_table(
        "attempt",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column(
            "file", sa.BigInteger, sa.ForeignKey(f"{SCHEMA}.file.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("lane", sa.Integer, sa.ForeignKey(f"{SCHEMA}.lane.id"), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("size_bytes", sa.BigInteger),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("failure", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        schema=SCHEMA,
    )
    op.create_index("attempt_file", "attempt", ["file"], schema=SCHEMA)
    op.create_index("attempt_lane", "attempt", ["lane", "finished_at"], schema=SCHEMA)
    op.create_index("attempt_finished_at", "attempt", ["finished_at"], schema=SCHEMA)


def downgrade() -> None:
    for table in ("hold", "attempt", "breaker", "limits"):
        op.drop_table(table, schema=SCHEMA)
    for index in ("file_name", "file_moving", "file_waiting"):
        op.drop_index(index, "file", schema=SCHEMA)
    op.drop_column("file", "lanes", schema=SCHEMA)
    op.drop_column("file", "lane", schema=SCHEMA)
    op.drop_table("lane", schema=SCHEMA)
    op.create_index(
        "file_waiting",
        "file",
        [sa.text("priority DESC"), "id"],
        schema=SCHEMA,
        postgresql_where=sa.text("state = 'SUBMITTED'"),
    )
