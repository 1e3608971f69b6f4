"""Transfers: jobs, their files (which are the queue), and the history of each file.

The tables are spelt out here and not imported: a revision never changes once it is released.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SCHEMA = "transfers"


def upgrade() -> None:
    op.execute(f"CREATE SCHEMA {SCHEMA}")
    op.execute(f"CREATE SEQUENCE {SCHEMA}.worker_number AS integer CYCLE")
    op.create_table(
        "job",
        sa.Column("id", postgresql.UUID(as_uuid=True), primary_key=True),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("overwrite", sa.Boolean, nullable=False),
        sa.Column("verify_checksum", sa.Boolean, nullable=False),
        sa.Column("metadata", postgresql.JSONB, nullable=False),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=False),
        schema=SCHEMA,
    )
    op.create_index("job_fingerprint", "job", ["fingerprint"], schema=SCHEMA)
    op.create_index("job_submitted_at", "job", ["submitted_at"], schema=SCHEMA)
    op.create_table(
        "file",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column(
            "job",
            postgresql.UUID(as_uuid=True),
            sa.ForeignKey(f"{SCHEMA}.job.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("sources", postgresql.ARRAY(sa.Text), nullable=False),
        sa.Column("destination", sa.Text, nullable=False),
        sa.Column("checksum", sa.Text),
        sa.Column("size_bytes", sa.BigInteger),
        sa.Column("metadata", postgresql.JSONB, nullable=False),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False, server_default=""),
        sa.Column("source_position", sa.Integer, nullable=False, server_default="0"),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("claims", sa.Integer, nullable=False, server_default="0"),
        sa.Column("worker", sa.Integer),
        sa.Column("cancel_requested", sa.Boolean, nullable=False, server_default="false"),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True)),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.Column("found_size_bytes", sa.BigInteger),
        sa.Column("found_adler32", sa.Text),
        sa.UniqueConstraint("job", "position"),
        schema=SCHEMA,
    )
    op.create_index(
        "file_waiting",
        "file",
        [sa.text("priority DESC"), "id"],
        schema=SCHEMA,
        postgresql_where=sa.text("state = 'SUBMITTED'"),
    )
    op.create_index(
        "file_active", "file", ["destination"], schema=SCHEMA, postgresql_where=sa.text("state = 'ACTIVE'")
    )
    # Rows change state a few times each: without frequent vacuuming the queue's index fills with the dead.
    op.execute(f"ALTER TABLE {SCHEMA}.file SET (autovacuum_vacuum_scale_factor = 0.02)")
    op.create_table(
        "history",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column(
            "file", sa.BigInteger, sa.ForeignKey(f"{SCHEMA}.file.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("old_state", sa.Text, nullable=False),
        sa.Column("new_state", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        schema=SCHEMA,
    )
    op.create_index("history_file", "history", ["file"], schema=SCHEMA)


def downgrade() -> None:
    op.execute(f"DROP SCHEMA {SCHEMA} CASCADE")
