"""Releases: on which other copies each copy relies that a storage may delete."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

SCHEMA = "preservation"


def upgrade() -> None:
    op.create_table(
        "release",
        sa.Column("lfn", sa.Text, primary_key=True),
        sa.Column("rse", sa.Text, primary_key=True),
        sa.Column("dataset", sa.Text, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("adler32", sa.Text, nullable=False),
        sa.Column("relied_on", sa.ARRAY(sa.Text), nullable=False),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=False),
        schema=SCHEMA,
    )
    op.create_index("release_of_dataset", "release", ["dataset"], schema=SCHEMA)
    op.create_index("event_at", "event", ["at"], schema=SCHEMA)


def downgrade() -> None:
    op.drop_index("event_at", "event", schema=SCHEMA)
    op.drop_table("release", schema=SCHEMA)
