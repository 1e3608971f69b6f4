"""What was promised to data holds: no rule gives way to one that lets go of the copies earlier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from dpps.data.ports import ReplicationRule

__all__ = ["end_of", "keep_promises"]

_NEVER: Final = datetime.max.replace(tzinfo=UTC)


def end_of(rule: ReplicationRule, now: datetime) -> datetime:
    """Return when a rule lets go of its copies; one without end at the end of all time."""
    if rule.expires_at is not None:
        return rule.expires_at
    return _NEVER if rule.lifetime_seconds is None else now + timedelta(seconds=rule.lifetime_seconds)


def keep_promises(
    wanted: Sequence[ReplicationRule], ours: Mapping[tuple[int, str], ReplicationRule], now: datetime
) -> list[ReplicationRule]:
    """Return the rules that a policy asks for, made to last as long as those that they supersede.

    A policy may ask for fewer copies, or for other places; the time for which it promised to keep copies
    stays.

    Parameters
    ----------
    wanted : sequence of ReplicationRule
        What the policy asks for.
    ours : mapping of (int, str) to ReplicationRule
        Rules of earlier policies, and of this one, by their copies and expression.
    now : datetime
        The time.
    """
    most = max((rule.copies for rule in wanted), default=0)
    terms = {(rule.copies, rule.expression) for rule in wanted}
    # A rule that is there already never ends earlier than it does.
    lasting = [
        (rule.copies, end_of(one, now))
        for rule in wanted
        for one in (rule, ours.get((rule.copies, rule.expression), rule))
    ]
    broken = [
        end_of(rule, now)
        for key, rule in ours.items()
        if key not in terms
        and not any(copies >= min(rule.copies, most) and end >= end_of(rule, now) for copies, end in lasting)
    ]
    until = max(broken, default=now)
    return [
        _lasting_until(rule, until, now) if rule.copies == most and end_of(rule, now) < until else rule
        for rule in wanted
    ]


def _lasting_until(rule: ReplicationRule, until: datetime, now: datetime) -> ReplicationRule:
    if until == _NEVER:
        return replace(rule, lifetime_seconds=None, expires_at=None)
    seconds = max(1, round((until - now).total_seconds()))
    return replace(rule, lifetime_seconds=seconds, expires_at=until)
