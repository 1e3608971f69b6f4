"""The one way in which a state changes: row locked, table checked, audit row written, listeners told."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Table, insert, select, text, update

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

__all__ = ["CHANNEL", "change", "locked", "note", "notify"]

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
    table, states = _KINDS[kind]
    row = locked(connection, kind, subject)
    before = states(row.state)
    check_transition(f"{kind} {subject}", before, new)
    if kind in ("production", "transformation", "task"):
        values["reason"] = reason
    connection.execute(update(table).where(table.c.id == subject).values(state=new.value, **values))
    note(connection, kind, subject, before=before.value, after=new.value, reason=reason, at=at)


def note(
    connection: Connection, kind: str, subject: str, *, before: str, after: str, reason: str, at: datetime
) -> None:
    """Write an audit row and tell those who listen."""
    connection.execute(
        insert(tables.audit).values(
            # Every id begins with the production's name, which holds no dot.
            production=subject.split(".")[0],
            kind=kind,
            subject=subject,
            before=before,
            after=after,
            reason=reason,
            at=at,
        )
    )
    notify(connection)


def notify(connection: Connection) -> None:
    """Wake the listeners when this transaction is complete (PostgreSQL merges equal messages)."""
    connection.execute(text(f"NOTIFY {CHANNEL}"))
