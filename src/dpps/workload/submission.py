"""Submitting a production: planned, then kept whole or not at all."""

from __future__ import annotations

from datetime import datetime

from dpps.data.ports import Catalogue
from dpps.domain.principals import Principal
from dpps.workload.definition import ProductionDefinition
from dpps.workload.planning import Plan, plan_production
from dpps.workload.ports import Processes, WorkStore

__all__ = ["submit_production"]


def submit_production(
    principal: Principal,
    store: WorkStore,
    catalogue: Catalogue,
    processes: Processes,
    definition: ProductionDefinition,
    *,
    pass_is_given: bool,
    vo: str,
    now: datetime,
) -> Plan:
    """Check a production, find its inputs, and keep it with its first tasks.

    Raises
    ------
    NotAuthorized, InvalidInput
        As `plan_production`.
    Conflict
        When there is a production of this name, or products of the prescribed pass exist.
    """
    plan = plan_production(
        principal, catalogue, processes, definition, pass_is_given=pass_is_given, vo=vo, now=now
    )
    store.create(
        plan.definition,
        submitter=principal.name,
        at=now,
        fixed_inputs={step.name: step.fixed_inputs for step in plan.transformations},
        tasks={step.name: step.tasks for step in plan.transformations},
    )
    return plan
