"""Tables of the schema ``transfers``; revisions 0001 and 0004 make them."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Integer,
    MetaData,
    Sequence,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

__all__ = [
    "SCHEMA",
    "attempt",
    "breaker",
    "file",
    "history",
    "hold",
    "job",
    "lane",
    "limits",
    "worker_number",
]

SCHEMA = "transfers"

_tables = MetaData(schema=SCHEMA)

worker_number = Sequence("worker_number", schema=SCHEMA, metadata=_tables)

job = Table(
    "job",
    _tables,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("type", Text, nullable=False),
    Column("overwrite", Boolean, nullable=False),
    Column("verify_checksum", Boolean, nullable=False),
    Column("metadata", JSONB, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("submitted_at", DateTime(timezone=True), nullable=False),
)

lane = Table(
    "lane",
    _tables,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("source", Text, nullable=False),
    Column("destination", Text, nullable=False),
    Column("activity", Text, nullable=False),
)

file = Table(
    "file",
    _tables,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("job", UUID(as_uuid=True), ForeignKey(job.c.id), nullable=False),
    Column("position", Integer, nullable=False),
    Column("sources", ARRAY(Text), nullable=False),
    Column("destination", Text, nullable=False),
    Column("checksum", Text),
    Column("size_bytes", BigInteger),
    Column("metadata", JSONB, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("source_position", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("claims", Integer, nullable=False),
    Column("worker", Integer),
    Column("cancel_requested", Boolean, nullable=False),
    Column("due_at", DateTime(timezone=True), nullable=False),
    Column("started_at", DateTime(timezone=True)),
    Column("finished_at", DateTime(timezone=True)),
    Column("found_size_bytes", BigInteger),
    Column("found_adler32", Text),
    Column("lane", Integer, ForeignKey(lane.c.id), nullable=False),
    Column("lanes", ARRAY(Integer), nullable=False),
)

history = Table(
    "history",
    _tables,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("file", BigInteger, ForeignKey(file.c.id), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("old_state", Text, nullable=False),
    Column("new_state", Text, nullable=False),
    Column("reason", Text, nullable=False),
)

attempt = Table(
    "attempt",
    _tables,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("file", BigInteger, ForeignKey(file.c.id), nullable=False),
    Column("lane", Integer, ForeignKey(lane.c.id), nullable=False),
    Column("number", Integer, nullable=False),
    Column("source", Text, nullable=False),
    Column("started_at", DateTime(timezone=True), nullable=False),
    Column("finished_at", DateTime(timezone=True), nullable=False),
    Column("size_bytes", BigInteger),
    Column("outcome", Text, nullable=False),
    Column("failure", Text, nullable=False),
    Column("reason", Text, nullable=False),
)

limits = Table(
    "limits",
    _tables,
    Column("id", Integer, primary_key=True),
    Column("document", JSONB, nullable=False),
    Column("served", JSONB, nullable=False),
)

breaker = Table(
    "breaker",
    _tables,
    Column("storage", Text, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("since", DateTime(timezone=True), nullable=False),
    Column("rests_until", DateTime(timezone=True)),
)

hold = Table(
    "hold",
    _tables,
    Column("kind", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("destination", Text, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("held_by", Text, nullable=False),
    Column("held_at", DateTime(timezone=True), nullable=False),
    Column("remembered", JSONB, nullable=False),
)
