"""Named datasets: stored queries and frozen lists of files."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

SCHEMA = "data"
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.execute(f"CREATE SCHEMA {SCHEMA}")
    op.create_table(
        "named_dataset",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("expression", sa.Text, nullable=False),
        sa.Column("under", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("saved_at", _TIME, nullable=False),
        sa.Column("frozen_at", _TIME),
        sa.Column("digest", sa.Text),
        schema=SCHEMA,
    )
    op.create_table(
        "named_dataset_file",
        sa.Column("dataset", sa.Text, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("lfn", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(["dataset"], [f"{SCHEMA}.named_dataset.name"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("dataset", "position"),
        schema=SCHEMA,
    )


def downgrade() -> None:
    op.execute(f"DROP SCHEMA {SCHEMA} CASCADE")
