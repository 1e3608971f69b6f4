"""Which file is next, under the limits; and what an ended attempt leaves for the next choice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY, INTEGER
from sqlalchemy.dialects.postgresql import insert as postgresql_insert

from dpps.adapters.sql.transfer_tables import attempt, breaker, file, lane, limits
from dpps.data.transfers.breaker import Breaker, breakers_after
from dpps.data.transfers.lanes import Lane, is_named
from dpps.data.transfers.limits import LaneLoad, TransferLimits, open_lanes, take_turn
from dpps.data.transfers.records import Claim, Settlement
from dpps.data.transfers.states import FileState

__all__ = [
    "begin_claim",
    "lane_numbers",
    "lanes_of_storage",
    "next_file",
    "note_end",
    "read_breakers",
]

_CLAIM_LOCKS: Final = 0x636C616D
"""Key of the advisory lock that lets one claim be made at a time (``clam`` in ASCII).

Limits hold only if nobody else starts a file between counting and starting.
"""

_SETTINGS: Final = text(
    # A claim that is lost in a crash of the database is a claim that was not made.
    "SELECT set_config('synchronous_commit', 'off', true),"
    # The queue of each lane is walked along its index and left at the first free file. While statistics
    # are young, as after a large submission, the planner would sort whole lanes instead.
    " set_config('enable_sort', 'off', true), set_config('enable_bitmapscan', 'off', true),"
    f" pg_advisory_xact_lock({_CLAIM_LOCKS})"
)

_FIRST_OF_LANES: Final = text(
    "SELECT first.id, first.priority, wanted.lane"
    " FROM unnest(:lanes) AS wanted (lane) CROSS JOIN LATERAL ("
    "  SELECT f.id, f.priority FROM transfers.file f"
    "  WHERE f.state = 'SUBMITTED' AND f.lane = wanted.lane AND f.due_at <= :now"
    "  AND NOT EXISTS (SELECT FROM transfers.file other"
    "   WHERE other.destination = f.destination AND other.state = 'ACTIVE')"
    "  ORDER BY f.priority DESC, f.id LIMIT 1) first"
).bindparams(bindparam("lanes", type_=ARRAY(INTEGER)))


def begin_claim(connection: Connection) -> None:
    """Be the only one to make a claim until this transaction ends."""
    connection.execute(_SETTINGS)


def next_file(connection: Connection, vo: str, now: datetime) -> tuple[int, Lane] | None:
    """Return the file whose turn it is and its lane, or None when none may start now."""
    allowed, served = connection.execute(select(limits.c.document, limits.c.served)).one()
    set_limits = TransferLimits.model_validate(allowed)
    numbers = _open(connection, set_limits, now)
    if not numbers:
        return None
    firsts = connection.execute(_FIRST_OF_LANES, {"lanes": list(numbers), "now": now}).all()
    if not firsts:
        return None
    shares = set_limits.shares.get(vo)
    if shares is not None and shares.active:
        activity, after = take_turn(
            sorted({numbers[one.lane].activity for one in firsts}), shares, _numbers(served)
        )
        connection.execute(update(limits).values(served=after))
        firsts = [one for one in firsts if numbers[one.lane].activity == activity]
    chosen = min(firsts, key=lambda one: (-one.priority, one.id))
    return int(chosen.id), numbers[chosen.lane]


def _open(connection: Connection, set_limits: TransferLimits, now: datetime) -> dict[int, Lane]:
    moving = select(func.count()).where(file.c.lane == lane.c.id, file.c.state == FileState.ACTIVE.value)
    rows = connection.execute(select(lane, moving.scalar_subquery().label("active"))).all()
    loads = [LaneLoad(lane=_lane(row), active=row.active) for row in rows]
    resting = {
        one.storage: one.rests_until
        for one in read_breakers(connection).values()
        if one.rests_until is not None
    }
    allowed = open_lanes(loads, set_limits, resting, now)
    return {row.id: _lane(row) for row in rows if _lane(row) in allowed}


def _numbers(served: Mapping[str, Any]) -> dict[str, float]:
    return {activity: float(got) for activity, got in served.items()}


def lane_numbers(connection: Connection, lanes: Sequence[Lane]) -> dict[Lane, int]:
    """Return the numbers of lanes, making those that are new."""
    wanted = set(lanes)
    known = _known(connection)
    fresh = sorted(wanted - known.keys())
    if fresh:
        values = [
            {"source": one.source, "destination": one.destination, "activity": one.activity} for one in fresh
        ]
        connection.execute(postgresql_insert(lane).on_conflict_do_nothing(), values)
        known = _known(connection)
    return {one: known[one] for one in wanted}


def _known(connection: Connection) -> dict[Lane, int]:
    return {_lane(row): row.id for row in connection.execute(select(lane))}


def lanes_of_storage(
    connection: Connection, storage: str, ends: Sequence[str] = ("source", "destination")
) -> list[int]:
    """Return the numbers of all lanes that have what a name means at one of these ends."""
    return [
        number
        for one, number in _known(connection).items()
        if any(is_named(storage, getattr(one, end)) for end in ends)
    ]


def _lane(row: Row[Any]) -> Lane:
    return Lane(source=row.source, destination=row.destination, activity=row.activity)


def read_breakers(connection: Connection) -> dict[str, Breaker]:
    """Return what is known of storages that failed lately."""
    return {
        row.storage: Breaker(
            storage=row.storage,
            failures=row.failures,
            reason=row.reason,
            since=row.since,
            rests_until=row.rests_until,
        )
        for row in connection.execute(select(breaker))
    }


def note_end(
    connection: Connection, number: int, claim: Claim, settlement: Settlement, now: datetime
) -> None:
    """Keep the attempt that ends, and what it proved of its storages."""
    if not settlement.counted:
        return
    failure = settlement.failure
    connection.execute(
        insert(attempt).values(
            file=claim.file_id,
            lane=number,
            number=claim.number,
            source=claim.source,
            started_at=claim.started_at or now,
            finished_at=now,
            size_bytes=settlement.found.size_bytes if settlement.found and failure is None else None,
            outcome=settlement.state.value,
            failure=failure.kind.value if failure else "",
            reason=settlement.reason,
        )
    )
    _judge_storages(connection, claim.lane, settlement, now)


def _judge_storages(connection: Connection, of: Lane, settlement: Settlement, now: datetime) -> None:
    for storage, state in breakers_after(of, settlement, read_breakers(connection), now).items():
        if state is None:
            connection.execute(delete(breaker).where(breaker.c.storage == storage))
            continue
        values = {
            "storage": state.storage,
            "failures": state.failures,
            "reason": state.reason,
            "since": state.since,
            "rests_until": state.rests_until,
        }
        merge = postgresql_insert(breaker).values(values)
        connection.execute(merge.on_conflict_do_update(index_elements=["storage"], set_=values))
