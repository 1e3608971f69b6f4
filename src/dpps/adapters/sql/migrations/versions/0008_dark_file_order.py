"""Dark files in the order in which they are read, page by page."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

SCHEMA = "preservation"
_ORDER = [sa.text('rse COLLATE "C"'), sa.text('url COLLATE "C"')]


def upgrade() -> None:
    op.create_index("dark_file_order", "dark_file", _ORDER, schema=SCHEMA)


def downgrade() -> None:
    op.drop_index("dark_file_order", "dark_file", schema=SCHEMA)
