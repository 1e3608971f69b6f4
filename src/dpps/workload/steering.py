"""Steering productions that are under way."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from dpps.domain.errors import Conflict
from dpps.domain.principals import Action, Principal, authorize
from dpps.domain.work import ProductionState, TaskState, is_final
from dpps.workload.ports import WorkStore

__all__ = ["Cancellation", "cancel_production"]


class Cancellation(BaseModel):
    """What is left of a production that was cancelled."""

    model_config = ConfigDict(frozen=True)

    production: str
    state: ProductionState
    changed: bool
    """False when it had been cancelled before."""
    tasks: dict[TaskState, int]
    """Number of tasks by state; those that publish become ``done`` yet."""
    products: int
    """Products in the archive; they stay."""


def cancel_production(principal: Principal, store: WorkStore, name: str, *, now: datetime) -> Cancellation:
    """End a production early: no job begins any more, those that run are ended, products stay.

    What a job has won is published as ever. Repeating the call changes nothing.

    Raises
    ------
    NotAuthorized
        When the principal may not steer productions.
    NotFound
        When there is none of this name.
    Conflict
        When it has ended already.
    """
    authorize(principal, Action.STEER, f"production {name}")
    state = store.production(name).state
    if is_final(state) and state is not ProductionState.CANCELLED:
        raise Conflict(
            f"production {name!r} is {state.value}: there is nothing left to cancel",
            code="production-ended",
            next_step=f"look at it: dpps production status {name}",
            production=name,
        )
    changed = store.cancel(name, reason=f"cancelled by {principal.name}", at=now)
    steps = store.transformations(name)
    return Cancellation(
        production=name,
        state=ProductionState.CANCELLED,
        changed=changed,
        tasks=Counter(task.state for step in steps for task in store.tasks(step.id)),
        products=len(store.lineage(name)),
    )
