"""Who may have what: embargoes, and what a profile demands."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from dpps.data.packages.records import PackageKind, Profile
from dpps.domain.errors import InvalidInput, NotAuthorized
from dpps.domain.files import MetadataValue
from dpps.domain.names import Lfn
from dpps.domain.principals import Action, Principal, authorize

__all__ = ["check_profile", "check_rights", "embargo_until"]

_RELEASE = "curation__release_date"
_RIGHTS = ("curation__rights", "curation__license")
_CUSTODIANS = (Action.PUBLISH, Action.OPERATE, Action.INGEST)
"""Whoever may do one of these handles proprietary data anyhow."""


def embargo_until(metadata: Mapping[str, MetadataValue]) -> str | None:
    """Return when a product becomes public (UTC, the canonical form of metadata), if it says."""
    told = metadata.get(_RELEASE)
    return told if isinstance(told, str) else None


def check_rights(
    principal: Principal,
    kind: PackageKind,
    lfn: Lfn,
    metadata: Mapping[str, MetadataValue],
    now: datetime,
) -> None:
    """Let a file into a package, or say why not.

    Raises
    ------
    NotAuthorized
        When it is under embargo, or the package is for custodians, and the principal is none.
    """
    if any(_may(principal, action, lfn) for action in _CUSTODIANS):
        return
    until = embargo_until(metadata)
    if until is not None and until > f"{now:%Y-%m-%dT%H:%M:%S}":
        raise NotAuthorized(
            f"{lfn} is under embargo until {until[:19]} UTC",
            code="under-embargo",
            next_step="wait for that date, or ask a production manager for it",
            lfn=lfn,
            embargo_until=until,
            principal=principal.name,
        )
    if kind is not PackageKind.DISSEMINATION:
        raise NotAuthorized(
            f"{principal.name} may not make a package of the kind {kind.value}",
            next_step="make a dissemination package: --kind dip",
            principal=principal.name,
        )


def check_profile(profile: Profile | None, lfn: Lfn, metadata: Mapping[str, MetadataValue]) -> None:
    """Check what a profile demands of a file.

    Raises
    ------
    InvalidInput
        When the file is not of the level, or lacks what it must say.
    """
    if profile is None:
        return
    level = metadata.get("data__level")
    lacking = [] if level == "DL3" else [f"data__level is {level}, not DL3"]
    lacking += [] if any(metadata.get(key) for key in _RIGHTS) else [f"{' and '.join(_RIGHTS)} are missing"]
    lacking += [] if embargo_until(metadata) else [f"{_RELEASE} is missing"]
    if lacking:
        raise InvalidInput(
            f"{lfn} cannot go to the science archive: {'; '.join(lacking)}",
            code="profile-unmet",
            next_step="select released DL3 whose metadata say rights and release date",
            lfn=lfn,
        )


def _may(principal: Principal, action: Action, lfn: Lfn) -> bool:
    try:
        authorize(principal, action, lfn.name)
    except NotAuthorized:
        return False
    return True
