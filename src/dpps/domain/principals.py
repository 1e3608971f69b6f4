"""Who may do what: one table, one decision."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from dpps.domain.errors import NotAuthorized

__all__ = ["Action", "Principal", "Role", "authorize"]


class Role(StrEnum):
    """What a principal is trusted with."""

    INGEST = "ingest"
    """The on-site identities that may write to the archive scopes."""
    PRODUCTION_MANAGER = "production-manager"
    """Submits and steers productions, publishes their products."""
    OPERATOR = "operator"
    """Runs the services, the storage and the transfers."""
    READER = "reader"
    """Finds and retrieves."""
    AUDITOR = "auditor"
    """Reads everything, changes nothing."""
    JOB = "job"
    """One attempt at one task: may report on itself, and nothing else."""


class Action(StrEnum):
    """What a use case asks leave for."""

    INGEST = "data.ingest"
    PUBLISH = "data.publish"
    PRESERVE = "data.preserve"
    READ = "data.read"
    STORE = "data.store"
    """Write to the temporary scope, with a lifetime."""
    RELEASE = "data.release"
    """Decide about quarantined files."""
    AUDIT = "data.audit"
    """Read copies back, compare storages with the catalogue, have damage repaired."""
    PACKAGE = "data.package"
    """Export and import packages with their metadata."""
    SUBMIT = "production.submit"
    STEER = "production.steer"
    WATCH = "production.watch"
    REPORT_JOB = "job.report"
    TRANSFER = "transfer.submit"
    OPERATE = "system.operate"
    INSPECT = "system.inspect"


_GRANTS: dict[Role, frozenset[Action]] = {
    Role.INGEST: frozenset(
        {
            Action.INGEST,
            Action.PRESERVE,
            Action.READ,
            Action.STORE,
            Action.RELEASE,
            Action.AUDIT,
            Action.PACKAGE,
        }
    ),
    Role.PRODUCTION_MANAGER: frozenset(
        {
            Action.SUBMIT,
            Action.STEER,
            Action.WATCH,
            Action.READ,
            Action.PUBLISH,
            Action.REPORT_JOB,
            Action.INSPECT,
            Action.STORE,
            Action.PACKAGE,
        }
    ),
    Role.OPERATOR: frozenset(
        {
            Action.OPERATE,
            Action.INSPECT,
            Action.TRANSFER,
            Action.PRESERVE,
            Action.READ,
            Action.WATCH,
            Action.STEER,
            Action.RELEASE,
            Action.AUDIT,
            Action.PACKAGE,
        }
    ),
    Role.READER: frozenset({Action.READ, Action.WATCH, Action.PACKAGE}),
    Role.AUDITOR: frozenset({Action.READ, Action.WATCH, Action.INSPECT}),
    Role.JOB: frozenset({Action.REPORT_JOB}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Someone, or some service, on whose behalf a use case runs."""

    name: str
    roles: frozenset[Role]


def authorize(principal: Principal, action: Action, resource: str) -> None:
    """Let the call pass, or say who may not do what to which thing.

    Parameters
    ----------
    principal : Principal
        Who asks.
    action : Action
        What for.
    resource : str
        The thing concerned: an LFN, a production, a service.

    Raises
    ------
    NotAuthorized
        When no role of the principal grants the action.
    """
    if any(action in _GRANTS[role] for role in principal.roles):
        return
    holders = sorted(role.value for role, actions in _GRANTS.items() if action in actions)
    raise NotAuthorized(
        f"{principal.name} may not {action.value} on {resource}",
        next_step=f"use a principal with one of the roles: {', '.join(holders)}",
        principal=principal.name,
        action=action.value,
        resource=resource,
    )
