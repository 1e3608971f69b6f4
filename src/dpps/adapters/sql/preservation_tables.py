"""Tables of the schema ``preservation``; revisions 0005 and 0007 make them."""

from __future__ import annotations

from sqlalchemy import ARRAY, BigInteger, Boolean, Column, DateTime, Identity, MetaData, Table, Text

__all__ = ["alarm", "cursor", "dark_file", "dataset", "event", "evidence", "release"]

_tables = MetaData(schema="preservation")
_TIME = DateTime(timezone=True)

evidence = Table(
    "evidence",
    _tables,
    Column("lfn", Text, primary_key=True),
    Column("rse", Text, primary_key=True),
    Column("dataset", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("verified_at", _TIME),
    Column("intact_since", _TIME),
    Column("size_bytes", BigInteger),
    Column("adler32", Text),
    Column("problem", Text, nullable=False),
    Column("released_at", _TIME),
)

release = Table(
    "release",
    _tables,
    Column("lfn", Text, primary_key=True),
    Column("rse", Text, primary_key=True),
    Column("dataset", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("adler32", Text, nullable=False),
    Column("relied_on", ARRAY(Text), nullable=False),
    Column("released_at", _TIME, nullable=False),
)

dataset = Table(
    "dataset",
    _tables,
    Column("name", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("settled", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    Column("first_seen_at", _TIME, nullable=False),
    Column("looked_at", _TIME),
    Column("due_at", _TIME, nullable=False),
)

cursor = Table("cursor", _tables, Column("name", Text, primary_key=True), Column("at", _TIME, nullable=False))

alarm = Table(
    "alarm",
    _tables,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("lfn", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("raised_at", _TIME, nullable=False),
    Column("acknowledged_at", _TIME),
    Column("acknowledged_by", Text),
    Column("acknowledgement", Text),
    Column("cleared_at", _TIME),
)

event = Table(
    "event",
    _tables,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("at", _TIME, nullable=False),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("rse", Text, nullable=False),
    Column("text", Text, nullable=False),
)

dark_file = Table(
    "dark_file",
    _tables,
    Column("url", Text, primary_key=True),
    Column("rse", Text, nullable=False),
    Column("temporary", Boolean, nullable=False),
    Column("first_seen_at", _TIME, nullable=False),
    Column("last_seen_at", _TIME, nullable=False),
)
