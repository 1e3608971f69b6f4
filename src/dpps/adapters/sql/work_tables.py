"""Tables of the schema ``workload``: productions, transformations, tasks, jobs, and what surrounds them."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.schema import SchemaItem

__all__ = [
    "SCHEMA",
    "audit",
    "job",
    "lineage",
    "metadata",
    "outbox",
    "product",
    "production",
    "promise",
    "task",
    "task_input",
    "transformation",
    "winner",
]

SCHEMA = "workload"

# JSONB where the database looks inside; JSON where the order of keys matters: the first input that is
# grouped drives a transformation, the first software of a report stands for it.

metadata = MetaData(schema=SCHEMA)


def _time(name: str, *, nullable: bool = False) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False)


def _belongs_to(table: str, *, name: str | None = None, extra: tuple[SchemaItem, ...] = ()) -> Column[str]:
    return Column(name or table, Text, ForeignKey(f"{SCHEMA}.{table}.id"), *extra, nullable=False)


production = Table(
    "production",
    metadata,
    Column("id", Text, primary_key=True),
    _text("state"),
    _text("reason"),
    Column("priority", Integer, nullable=False),
    _text("submitter"),
    _time("created_at"),
    _time("finished_at", nullable=True),
)

transformation = Table(
    "transformation",
    metadata,
    Column("id", Text, primary_key=True),
    _belongs_to("production"),
    _text("name"),
    Column("position", Integer, nullable=False),
    _text("state"),
    _text("reason"),
    Column("definition", JSON, nullable=False),
    Column("fixed_inputs", JSONB, nullable=False),
    Column("driver", Text, nullable=False),
    UniqueConstraint("production", "name", name="transformation_name"),
)

task = Table(
    "task",
    metadata,
    Column("id", Text, primary_key=True),
    _belongs_to("transformation"),
    Column("number", Integer, nullable=False),
    Column("priority", Integer, nullable=False),
    _text("state"),
    _text("reason"),
    Column("inputs", JSONB, nullable=False),
    UniqueConstraint("transformation", "number", name="task_number"),
    Index("task_by_state", "transformation", "state"),
    # What the agent looks for in every pass; finished tasks, which are the most, are not in it.
    Index(
        "task_unfinished",
        "state",
        text("priority DESC"),
        "transformation",
        "number",
        postgresql_where=text("state IN ('ready', 'running')"),
    ),
)

task_input = Table(
    "task_input",
    metadata,
    Column("transformation", Text, ForeignKey(f"{SCHEMA}.transformation.id"), primary_key=True),
    Column("input", Text, primary_key=True),
    Column("lfn", Text, primary_key=True),
    _belongs_to("task"),
)
"""Driving inputs: the key says that no two tasks of a transformation take the same file."""

job = Table(
    "job",
    metadata,
    Column("id", Text, primary_key=True),
    _belongs_to("task"),
    Column("attempt", Integer, nullable=False),
    _text("state"),
    Column("exit_reason", Text),
    _text("detail"),
    _time("created_at"),
    _time("started_at", nullable=True),
    _time("finished_at", nullable=True),
    Column("report", JSON),
    Column("cleaned", Boolean, nullable=False, server_default=text("false")),
    UniqueConstraint("task", "attempt", name="job_attempt"),
    Index("job_to_clean", "id", postgresql_where=text("NOT cleaned")),
)

winner = Table(
    "winner",
    metadata,
    Column("task", Text, ForeignKey(f"{SCHEMA}.task.id"), primary_key=True),
    Column("job", Text, ForeignKey(f"{SCHEMA}.job.id"), nullable=False, unique=True),
    _time("elected_at"),
)
"""At most one row a task: this is the election."""

outbox = Table(
    "outbox",
    metadata,
    Column("task", Text, ForeignKey(f"{SCHEMA}.task.id"), primary_key=True),
    Column("job", Text, ForeignKey(f"{SCHEMA}.job.id"), nullable=False),
    Column("attempts", Integer, nullable=False),
    _text("last_error"),
    _time("created_at"),
    _time("next_try_at"),
    Index("outbox_due", "next_try_at"),
)

promise = Table(
    "promise",
    metadata,
    Column("lfn", Text, primary_key=True),
    _belongs_to("task"),
    Index("promise_of", "task"),
)
"""Products that tasks will make: the key says that no two tasks promise the same. A failed task has none."""

product = Table(
    "product",
    metadata,
    Column("lfn", Text, primary_key=True),
    _belongs_to("transformation"),
    _text("output"),
    _belongs_to("task"),
    _belongs_to("job"),
    Column("activity", JSONB, nullable=False),
    _time("published_at"),
    Index("product_of", "transformation", "output"),
)

lineage = Table(
    "lineage",
    metadata,
    Column("output_lfn", Text, ForeignKey(f"{SCHEMA}.product.lfn"), primary_key=True),
    Column("input_lfn", Text, primary_key=True),
    Index("lineage_of_input", "input_lfn"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    _belongs_to("production"),
    _text("kind"),
    _text("subject"),
    _text("before"),
    _text("after"),
    _text("reason"),
    _time("at"),
    Index("audit_of", "production", "id"),
)
