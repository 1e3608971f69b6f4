"""Deletion on site: a released copy goes while the copies that it relied on are proven, and not otherwise.

Rucio's reaper lists copies to delete, marks them, and deletes them. Here the list passes a gate: copies whose
proof has lapsed since their release get back the state that they had, with nothing left that would have them
deleted. So does a copy of the archive that nobody released: whoever made it deletable has proven nothing.
Temporary files, incomplete and bad copies, and the scopes of others are Rucio's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from dpps.composition.releases import DeletionGuard
from dpps.data.preservation.releasing import GateVerdict
from dpps.data.temporary import TEMPORARY_SCOPE
from dpps.domain.errors import DppsError, InvalidInput
from dpps.domain.names import Lfn
from dpps.services.rucio_policy.decisions import WRITERS

__all__ = ["guard_releases", "stay", "those_that_go"]

_log = structlog.get_logger(__name__)
_MAY_BE_RELEASED: Final = ("AVAILABLE", "BEING_DELETED")
"""Rucio's names of the states that a released copy can have when it is listed."""
_STAYS: Final = "a released copy stays: the proof of the others has lapsed"
_WAITS: Final = "a copy waits: the others are not proven, and nobody can tell now whether it is whole"
_NOT_RELEASED: Final = "a copy stays: it was made deletable, and preservation has not released it"
_ARCHIVE: Final = frozenset(WRITERS) - {TEMPORARY_SCOPE}
"""Scopes of which no copy on site goes without a release."""


def guard_releases(guard: DeletionGuard) -> None:
    """Let this process delete released copies on site only while their releases stand."""
    from rucio.core.rse import get_rse_name
    from rucio.daemons.reaper import reaper

    unguarded: Callable[..., list[dict[str, Any]]] = reaper.list_and_mark_unlocked_replicas

    def list_and_mark(**options: Any) -> list[dict[str, Any]]:
        rows = unguarded(**options)
        rse = get_rse_name(rse_id=options["rse_id"]) if rows else ""
        if rse not in guard.onsite:
            return rows
        return those_that_go(guard, rse, rows, lambda staying: stay(options["rse_id"], staying))

    reaper.list_and_mark_unlocked_replicas = list_and_mark


def those_that_go(
    guard: DeletionGuard,
    rse: str,
    rows: Sequence[Mapping[str, Any]],
    give_back: Callable[[Sequence[Mapping[str, Any]]], None],
) -> list[Any]:
    """Return the copies that may be deleted now.

    Parameters
    ----------
    guard : DeletionGuard
        Decides.
    rse : str
        Where they are.
    rows : sequence of mapping
        What Rucio lists, with the state that each copy had before it was marked.
    give_back : callable
        Gets the copies that stay. Those that can neither go nor be given back now keep their mark: Rucio
        lists them again a minute later.
    """
    asked = {row["name"]: lfn for row in rows if (lfn := _archived_name(row)) is not None}
    try:
        guard.prepare()
        verdicts = guard.gate.verdicts(rse, list(asked.values()))
    except DppsError as failure:
        _log.warning("deletion waits", rse=rse, copies=len(asked), reason=failure.message)
        return [row for row in rows if row["name"] not in asked]
    of_row = {
        row["name"]: _decided(guard, rse, row, verdicts[asked[row["name"]]])
        for row in rows
        if row["name"] in asked
    }
    for name, verdict in of_row.items():
        if verdict is GateVerdict.WAITS:
            _log.warning(_WAITS, lfn=name, rse=rse)
    staying = [row for row in rows if of_row.get(row["name"]) is GateVerdict.STAYS]
    if staying:
        give_back(staying)
        for row in staying:
            unknown = verdicts[asked[row["name"]]] is GateVerdict.UNKNOWN
            _log.warning(_NOT_RELEASED if unknown else _STAYS, lfn=row["name"], rse=rse)
        _withdraw(guard, rse, [asked[row["name"]] for row in staying])
    kept = (GateVerdict.STAYS, GateVerdict.WAITS)
    return [row for row in rows if of_row.get(row["name"]) not in kept]


def _decided(guard: DeletionGuard, rse: str, row: Mapping[str, Any], verdict: GateVerdict) -> GateVerdict:
    """Return what becomes of a copy, also of one that nobody released."""
    if verdict is not GateVerdict.UNKNOWN:
        return verdict
    if row["state"].name == "AVAILABLE":
        return GateVerdict.STAYS
    # It may have been incomplete or bad before it was marked, and its bytes may be gone.
    return guard.gate.abandoned(rse, Lfn(row["name"]), row["bytes"]).verdict


def _withdraw(guard: DeletionGuard, rse: str, lfns: Sequence[Lfn]) -> None:
    try:
        guard.gate.withdraw(rse, lfns)
    except DppsError as failure:  # preservation judges copies that are not deleted anew after minutes anyway
        _log.warning("a withdrawal was not noted", rse=rse, copies=len(lfns), reason=failure.message)


def _archived_name(row: Mapping[str, Any]) -> Lfn | None:
    """Return the name of a file whose copy goes only when it was released; None for what is Rucio's own.

    Incomplete and bad copies are never released; what is marked was marked before, in a pass that broke off.
    """
    if row["state"].name not in _MAY_BE_RELEASED:
        return None
    try:
        lfn = Lfn(row["name"])
    except InvalidInput:
        return None  # a name that others gave
    return lfn if lfn.scope in _ARCHIVE else None


def stay(rse_id: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Make marked copies available again, with nothing left that would have them deleted."""
    from rucio.db.sqla import models
    from rucio.db.sqla.constants import ReplicaState
    from rucio.db.sqla.session import get_engine
    from sqlalchemy import update

    table = models.RSEFileAssociation
    now = datetime.now(UTC).replace(tzinfo=None)
    with get_engine().begin() as connection:
        for row in rows:
            marked = (
                table.rse_id == rse_id,
                table.scope == row["scope"],
                table.name == row["name"],
                table.state == ReplicaState.BEING_DELETED,
                table.lock_cnt == 0,
            )
            again = {"state": ReplicaState.AVAILABLE, "tombstone": None, "updated_at": now}
            connection.execute(update(table).where(*marked).values(again))
