"""The one way in which a state changes: row locked, table checked, audit row written, listeners told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    Connection,
    Row,
    Table,
    Text,
    any_,
    insert,
    literal,
    select,
    text,
    update,
)

from dpps.adapters.sql import work_tables as tables
from dpps.domain.errors import NotFound
from dpps.domain.work import (
    JobState,
    ProductionState,
    TaskState,
    TransformationState,
    WorkState,
    check_transition,
)

__all__ = ["CHANNEL", "change", "change_all", "locked", "note", "notify"]

CHANNEL = "workload"

_KINDS: dict[str, tuple[Table, type[WorkState]]] = {
    "production": (tables.production, ProductionState),
    "transformation": (tables.transformation, TransformationState),
    "task": (tables.task, TaskState),
    "job": (tables.job, JobState),
}


def locked(connection: Connection, kind: str, subject: str) -> Row[Any]:
    """Return a row and keep others from changing it until the transaction ends.

    Raises
    ------
    NotFound
        When there is none of this name.
    """
    table, _ = _KINDS[kind]
    row = connection.execute(select(table).where(table.c.id == subject).with_for_update()).one_or_none()
    if row is None:
        raise NotFound(
            f"there is no {kind} {subject!r}", next_step="run: dpps production list", subject=subject
        )
    return row


def change(
    connection: Connection,
    kind: str,
    subject: str,
    new: WorkState,
    *,
    reason: str,
    at: datetime,
    **values: Any,
) -> None:
    """Change a state, with further columns, if the transition table allows it."""
    change_all(connection, kind, [locked(connection, kind, subject)], new, reason=reason, at=at, **values)


def change_all(
    connection: Connection,
    kind: str,
    rows: Sequence[Row[Any]],
    new: WorkState,
    *,
    reason: str,
    at: datetime,
    **values: Any,
) -> None:
    """Change the states of locked rows, with further columns, if the transition table allows all of it."""
    table, states = _KINDS[kind]
    for row in rows:
        check_transition(f"{kind} {row.id}", states(row.state), new)
    if not rows:
        return
    if kind in ("production", "transformation", "task"):
        values["reason"] = reason
    ids = literal([row.id for row in rows], ARRAY(Text))
    connection.execute(update(table).where(table.c.id == any_(ids)).values(state=new.value, **values))
    changes = [
        _audit_row(kind, row.id, before=row.state, after=new.value, reason=reason, at=at) for row in rows
    ]
    connection.execute(insert(tables.audit), changes)
    notify(connection)


def note(
    connection: Connection, kind: str, subject: str, *, before: str, after: str, reason: str, at: datetime
) -> None:
    """Write an audit row and tell those who listen."""
    row = _audit_row(kind, subject, before=before, after=after, reason=reason, at=at)
    connection.execute(insert(tables.audit).values(**row))
    notify(connection)


def _audit_row(
    kind: str, subject: str, *, before: str, after: str, reason: str, at: datetime
) -> dict[str, object]:
    return {
        # Every id begins with the production's name, which holds no dot.
        "production": subject.split(".")[0],
        "kind": kind,
        "subject": subject,
        "before": before,
        "after": after,
        "reason": reason,
        "at": at,
    }


def notify(connection: Connection) -> None:
    """Wake the listeners when this transaction is complete (PostgreSQL merges equal messages)."""
    connection.execute(text(f"NOTIFY {CHANNEL}"))
