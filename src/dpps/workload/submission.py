"""Submitting a production: planned, then kept whole or not at all."""

from __future__ import annotations

from datetime import datetime

from dpps.domain.errors import Conflict
from dpps.domain.principals import Principal
from dpps.workload.definition import ProductionDefinition
from dpps.workload.planning import Plan, PlanningParts, plan_production
from dpps.workload.ports import WorkStore
from dpps.workload.records import PRODUCT_PROMISED

__all__ = ["submit_production"]


def submit_production(
    principal: Principal,
    store: WorkStore,
    parts: PlanningParts,
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
        When there is a production of this name, or products of the prescribed pass exist or are promised.
    """
    first_pass = 1
    while True:
        plan = plan_production(
            principal,
            parts,
            definition,
            pass_is_given=pass_is_given,
            vo=vo,
            now=now,
            first_pass=first_pass,
        )
        try:
            _keep(store, plan, submitter=principal.name, at=now)
        except Conflict as taken:
            if pass_is_given or taken.code != PRODUCT_PROMISED:
                raise
            # A production that is under way makes these products; the archive does not know them yet.
            first_pass = plan.definition.transformations[0].pass_number + 1
        else:
            return plan


def _keep(store: WorkStore, plan: Plan, *, submitter: str, at: datetime) -> None:
    store.create(
        plan.definition,
        submitter=submitter,
        at=at,
        fixed_inputs={step.name: step.fixed_inputs for step in plan.transformations},
        tasks={step.name: step.tasks for step in plan.transformations},
    )
