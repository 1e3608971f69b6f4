"""Tables of the schema ``data``: named datasets."""

from __future__ import annotations

from sqlalchemy import Column, DateTime, ForeignKey, Integer, MetaData, Table, Text

__all__ = ["SCHEMA", "metadata", "named_dataset", "named_dataset_file"]

SCHEMA = "data"

metadata = MetaData(schema=SCHEMA)

named_dataset = Table(
    "named_dataset",
    metadata,
    Column("name", Text, primary_key=True),
    Column("expression", Text, nullable=False),
    Column("under", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("saved_at", DateTime(timezone=True), nullable=False),
    Column("frozen_at", DateTime(timezone=True)),
    Column("digest", Text),
)

named_dataset_file = Table(
    "named_dataset_file",
    metadata,
    Column("dataset", Text, ForeignKey(f"{SCHEMA}.named_dataset.name", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("lfn", Text, nullable=False),
)
