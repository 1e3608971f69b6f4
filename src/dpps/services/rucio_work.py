"""Which stock daemon has work waiting: one cheap question to the database for all of them.

An idle daemon costs nothing then, and work is seen within half a second, whereas the stock programs sleep
for up to ten minutes between passes.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Select

__all__ = [
    "INTERRUPTED_SUBMISSION",
    "BriefNotes",
    "BriefPauses",
    "catalogue_is_ready",
    "daemons_with_work",
    "forget_heartbeats",
    "forget_old_messages",
    "look_at_storages_often",
]

INTERRUPTED_SUBMISSION = timedelta(seconds=60)
"""Requests that have been between two states for so long were left there by a submitter that was killed, or
that lost its database. Rucio waits for two hours, in case another submitter is slow; here there is one, and
what is submitted twice is found in place the second time."""
_MESSAGES_KEPT = timedelta(days=1)
_PAUSE = timedelta(seconds=3)


class BriefPauses(dict[Any, datetime]):
    """What a judge passes over for now, after another process held its row: for seconds, not minutes.

    Rucio draws 60 to 600 s, meant for many judges that wait for one another; here there is one, and a
    dataset that was attached to while it was evaluated would wait that long for its copies.
    """

    def __setitem__(self, key: Any, until: datetime) -> None:
        """Keep the earlier of what Rucio wants and a few seconds from now."""
        super().__setitem__(key, min(until, _now() + _PAUSE))


class BriefNotes:
    """Notes of Rucio's that are forgotten in seconds, not minutes.

    The reaper leaves a storage that has little to delete alone for two minutes, meant for many reapers that
    look everywhere all the time; ours is called when there is something to delete. Judges believe for ten
    minutes that a storage may be written to; a drained one would get new files as long.

    Parameters
    ----------
    notes : dogpile.cache.CacheRegion
        Where Rucio keeps them.
    prefix : str
        Beginning of the keys that are forgotten; others last as long as Rucio wants.
    """

    def __init__(self, notes: Any, prefix: str = "") -> None:
        self._notes = notes
        self._prefix = prefix

    def get(self, key: str, **options: Any) -> Any:
        """Return a note."""
        if key.startswith(self._prefix):
            options["expiration_time"] = _PAUSE.total_seconds()
        return self._notes.get(key, **options)

    def set(self, key: str, value: object) -> None:
        """Keep a note."""
        self._notes.set(key, value)


def _now() -> datetime:
    """Return the time as Rucio stores it: UTC without a zone."""
    return datetime.now(UTC).replace(tzinfo=None)


def _conditions() -> dict[str, ColumnElement[bool]]:
    """Return, by daemon, the condition under which it has something to do.

    Times are parameters ``now`` and ``interrupted``.
    """
    from rucio.common.constants import RseAttr
    from rucio.db.sqla import models as m
    from rucio.db.sqla.constants import OBSOLETE, BadFilesStatus, RequestState, RuleState
    from sqlalchemy import bindparam, exists, false, null, select

    now, interrupted = (
        bindparam("now", type_=m.Request.updated_at.type),
        bindparam("interrupted", type_=m.Request.updated_at.type),
    )
    state = RequestState
    finished = [
        state.DONE, state.FAILED, state.LOST, state.NO_SOURCES, state.ONLY_TAPE_SOURCES,
        state.SUBMISSION_FAILED, state.MISMATCH_SCHEME,
    ]  # fmt: skip

    def any_row(model: Any, *where: Any) -> ColumnElement[bool]:
        return exists(select(1).select_from(model).where(*where))

    rule, replica, attribute = m.ReplicationRule, m.RSEFileAssociation, m.RSEAttrAssociation
    greedy = select(attribute.rse_id).where(
        attribute.key == RseAttr.GREEDYDELETION, attribute.value == "true"
    )
    return {
        "judge-evaluator": any_row(m.UpdatedDID),
        "judge-injector": any_row(rule, rule.state == RuleState.INJECT),
        "judge-repairer": any_row(rule, rule.state == RuleState.STUCK),
        "judge-cleaner": any_row(
            rule, rule.expires_at < now, rule.locked == false(), rule.child_rule_id == null()
        ),
        "conveyor-submitter": any_row(m.Request, m.Request.state == state.QUEUED),
        "conveyor-poller": any_row(m.Request, m.Request.state == state.SUBMITTED),
        "conveyor-finisher": any_row(
            m.Request,
            m.Request.state.in_(finished)
            | ((m.Request.state == state.SUBMITTING) & (m.Request.updated_at < interrupted)),
        ),
        "undertaker": any_row(m.DataIdentifier, m.DataIdentifier.expired_at < now),
        "reaper": any_row(
            replica,
            replica.tombstone < now,
            replica.lock_cnt == 0,
            # At other storages only what was released goes, as the reaper has it.
            (replica.tombstone == OBSOLETE) | replica.rse_id.in_(greedy),
        ),
        "minos": any_row(m.BadPFN),
        "necromancer": any_row(m.BadReplica, m.BadReplica.state == BadFilesStatus.BAD),
        "abacus-rse": any_row(m.UpdatedRSECounter),
        "abacus-account": any_row(m.UpdatedAccountCounter),
        "abacus-collection-replica": any_row(m.UpdatedCollectionReplica),
    }


@cache
def _question() -> Select[*tuple[Any, ...]]:
    """Return the one question about all daemons, which takes longer to write than to answer."""
    from sqlalchemy import select

    return select(*(condition.label(name) for name, condition in _conditions().items()))


def daemons_with_work() -> set[str]:
    """Return the names of the daemons that have something to do now."""
    from rucio.db.sqla.session import get_engine

    now = _now()
    times = {"now": now, "interrupted": now - INTERRUPTED_SUBMISSION}
    with get_engine().connect() as connection:
        answer = connection.execute(_question(), times).mappings().one()
    return {name for name, waiting in answer.items() if waiting}


def look_at_storages_often() -> None:
    """Let this process see within seconds which storages match a rule and may be written to."""
    from rucio.core import rse_expression_parser

    rse_expression_parser.REGION = BriefNotes(rse_expression_parser.REGION)


def catalogue_is_ready() -> bool:
    """Tell whether the server has brought the catalogue to its first contents."""
    from rucio.alembicrevision import ALEMBIC_REVISION
    from rucio.db.sqla import models
    from rucio.db.sqla.session import get_engine
    from sqlalchemy import exists, inspect, select

    engine = get_engine()
    if not inspect(engine).has_table(models.AlembicVersion.__tablename__):
        return False
    question = select(
        exists().where(models.AlembicVersion.version_num == ALEMBIC_REVISION),
        exists().select_from(models.RSE),  # written in the same transaction as everything else
    )
    with engine.connect() as connection:
        return all(connection.execute(question).one())


def forget_heartbeats() -> None:
    """Delete the heartbeats of an earlier process that was killed.

    Rucio shares work out among all that have a heartbeat: the part of a dead one would wait for hours.
    """
    from rucio.db.sqla import models
    from rucio.db.sqla.session import get_engine
    from sqlalchemy import delete

    with get_engine().begin() as connection:
        connection.execute(delete(models.Heartbeat))


def forget_old_messages() -> None:
    """Delete notifications that nobody will collect: without a broker the table would grow for ever."""
    from rucio.db.sqla import models
    from rucio.db.sqla.session import get_engine
    from sqlalchemy import delete

    with get_engine().begin() as connection:
        connection.execute(delete(models.Message).where(models.Message.created_at < _now() - _MESSAGES_KEPT))
