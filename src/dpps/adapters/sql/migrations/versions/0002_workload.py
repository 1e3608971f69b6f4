"""Workload: productions, transformations, tasks, jobs, the election of winners, outbox, lineage, audit.

The tables are spelt out here and not imported: a revision never changes once it is released.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SCHEMA = "workload"


def upgrade() -> None:
    op.execute(f"CREATE SCHEMA {SCHEMA}")
    op.create_table(
        "production",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("submitter", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        schema=SCHEMA,
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("production", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("after", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["production"],
            ["workload.production.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        schema=SCHEMA,
    )
    op.create_index("audit_of", "audit", ["production", "id"], unique=False, schema=SCHEMA)
    op.create_table(
        "transformation",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("production", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("definition", postgresql.JSON(), nullable=False),
        sa.Column("fixed_inputs", postgresql.JSONB(), nullable=False),
        sa.Column("driver", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["production"],
            ["workload.production.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("production", "name", name="transformation_name"),
        schema=SCHEMA,
    )
    op.create_table(
        "task",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("transformation", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("inputs", postgresql.JSONB(), nullable=False),
        sa.ForeignKeyConstraint(
            ["transformation"],
            ["workload.transformation.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("transformation", "number", name="task_number"),
        schema=SCHEMA,
    )
    op.create_index("task_by_state", "task", ["transformation", "state"], unique=False, schema=SCHEMA)
    op.create_index(
        "task_unfinished",
        "task",
        ["state", sa.literal_column("priority DESC"), "transformation", "number"],
        unique=False,
        schema=SCHEMA,
        postgresql_where=sa.text("state IN ('ready', 'running')"),
    )
    op.create_table(
        "job",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("exit_reason", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("report", postgresql.JSON(), nullable=True),
        sa.Column("cleaned", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.ForeignKeyConstraint(
            ["task"],
            ["workload.task.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("task", "attempt", name="job_attempt"),
        schema=SCHEMA,
    )
    op.create_index(
        "job_to_clean", "job", ["id"], unique=False, schema=SCHEMA, postgresql_where=sa.text("NOT cleaned")
    )
    op.create_table(
        "task_input",
        sa.Column("transformation", sa.Text(), nullable=False),
        sa.Column("input", sa.Text(), nullable=False),
        sa.Column("lfn", sa.Text(), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["task"],
            ["workload.task.id"],
        ),
        sa.ForeignKeyConstraint(
            ["transformation"],
            ["workload.transformation.id"],
        ),
        sa.PrimaryKeyConstraint("transformation", "input", "lfn"),
        schema=SCHEMA,
    )
    op.create_table(
        "outbox",
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("job", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["job"],
            ["workload.job.id"],
        ),
        sa.ForeignKeyConstraint(
            ["task"],
            ["workload.task.id"],
        ),
        sa.PrimaryKeyConstraint("task"),
        schema=SCHEMA,
    )
    op.create_index("outbox_due", "outbox", ["next_try_at"], unique=False, schema=SCHEMA)
    op.create_table(
        "product",
        sa.Column("lfn", sa.Text(), nullable=False),
        sa.Column("transformation", sa.Text(), nullable=False),
        sa.Column("output", sa.Text(), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("job", sa.Text(), nullable=False),
        sa.Column("activity", postgresql.JSONB(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["job"],
            ["workload.job.id"],
        ),
        sa.ForeignKeyConstraint(
            ["task"],
            ["workload.task.id"],
        ),
        sa.ForeignKeyConstraint(
            ["transformation"],
            ["workload.transformation.id"],
        ),
        sa.PrimaryKeyConstraint("lfn"),
        schema=SCHEMA,
    )
    op.create_index("product_of", "product", ["transformation", "output"], unique=False, schema=SCHEMA)
    op.create_table(
        "winner",
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("job", sa.Text(), nullable=False),
        sa.Column("elected_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["job"],
            ["workload.job.id"],
        ),
        sa.ForeignKeyConstraint(
            ["task"],
            ["workload.task.id"],
        ),
        sa.PrimaryKeyConstraint("task"),
        sa.UniqueConstraint("job"),
        schema=SCHEMA,
    )
    op.create_table(
        "lineage",
        sa.Column("output_lfn", sa.Text(), nullable=False),
        sa.Column("input_lfn", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["output_lfn"],
            ["workload.product.lfn"],
        ),
        sa.PrimaryKeyConstraint("output_lfn", "input_lfn"),
        schema=SCHEMA,
    )
    op.create_index("lineage_of_input", "lineage", ["input_lfn"], unique=False, schema=SCHEMA)


def downgrade() -> None:
    op.execute(f"DROP SCHEMA {SCHEMA} CASCADE")
