"""Who calls: the people and services that one system knows, and their roles."""

from __future__ import annotations

import os
from pathlib import Path

import yaml

from dpps.composition.state import StateFolder
from dpps.domain.errors import InvalidInput, NotAuthorized
from dpps.domain.principals import Principal, Role

__all__ = ["local_principal", "service_principal"]

_VARIABLE = "DPPS_PRINCIPAL"

_SERVICES: dict[str, frozenset[Role]] = {
    "ingest": frozenset({Role.INGEST}),
    "workload": frozenset({Role.PRODUCTION_MANAGER}),
    "preservation": frozenset({Role.OPERATOR}),
    "transfers": frozenset({Role.OPERATOR}),
    "rucio-daemons": frozenset({Role.OPERATOR}),
    "operator": frozenset({Role.OPERATOR}),
    "supervisor": frozenset({Role.OPERATOR}),
}


def service_principal(service: str) -> Principal:
    """Return the identity that one of our services acts under.

    Raises
    ------
    NotAuthorized
        When there is no such service.
    """
    if service not in _SERVICES:
        raise NotAuthorized(
            f"{service!r} is no service of this system",
            code="service-unknown",
            next_step=f"use the certificate of one of: {', '.join(sorted(_SERVICES))}",
            principal=service,
        )
    return Principal(name=service, roles=_SERVICES[service])


def local_principal(folder: StateFolder) -> Principal:
    """Return who runs this command on the machine that holds the state folder.

    Whoever can read the secrets of the state folder owns the system and has every role, unless
    ``DPPS_PRINCIPAL`` names an entry of ``config/principals.yaml`` (``name: [role, …]``).

    Raises
    ------
    NotAuthorized
        When the named principal is not in the file.
    InvalidInput
        When the file cannot be read.
    """
    name = os.environ.get(_VARIABLE)
    if name is None:
        return Principal(name="owner", roles=frozenset(Role))
    path = folder.config / "principals.yaml"
    roles = _read(path).get(name)
    if roles is None:
        raise NotAuthorized(
            f"{_VARIABLE} names {name!r}, which {path} does not know",
            next_step=f"add a line '{name}: [reader]' to {path}, or unset {_VARIABLE}",
            principal=name,
        )
    return Principal(name=name, roles=roles)


def _read(path: Path) -> dict[str, frozenset[Role]]:
    try:
        entries = yaml.safe_load(path.read_text()) or {}
        return {str(name): frozenset(Role(role) for role in roles) for name, roles in entries.items()}
    except FileNotFoundError:
        return {}
    except (OSError, yaml.YAMLError, ValueError, TypeError, AttributeError) as wrong:
        raise InvalidInput(
            f"{path} is not a list of principals: {wrong}",
            next_step=f"write lines like 'alice: [reader]'; roles: {', '.join(Role)}",
            path=path,
        ) from wrong
