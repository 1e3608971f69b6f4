"""Workload: the names of products that tasks have promised, so that no two productions make the same."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SCHEMA = "workload"


def upgrade() -> None:
    op.create_table(
        "promise",
        sa.Column("lfn", sa.Text(), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["task"], [f"{SCHEMA}.task.id"]),
        sa.PrimaryKeyConstraint("lfn"),
        schema=SCHEMA,
    )
    op.create_index("promise_of", "promise", ["task"], schema=SCHEMA)


def downgrade() -> None:
    op.drop_table("promise", schema=SCHEMA)
