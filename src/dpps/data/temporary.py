"""Temporary files: below ``/<vo>/tmp``, each kept until a moment that its owner may put off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from dpps.data.ports import Catalogue
from dpps.domain.errors import DppsError, InvalidInput, NotFound
from dpps.domain.names import Lfn
from dpps.domain.principals import Action, Principal, authorize

__all__ = [
    "TEMPORARY_SCOPE",
    "ExtendedFile",
    "TemporaryKeeper",
    "check_lifetime",
    "extend_lifetime",
    "is_temporary",
]

TEMPORARY_SCOPE = "tmp"
_LONGEST = timedelta(days=365)


class TemporaryKeeper(Protocol):
    """Keeps copies of temporary files for a time; afterwards files and copies go by themselves."""

    def keep(self, lfns: Sequence[Lfn], rse: str, lifetime: timedelta) -> Mapping[Lfn, datetime]:
        """Keep the copies of registered files at one storage for a time from now; return until when.

        Repeating it keeps them longer, never shorter.
        """
        ...

    def extend(self, lfns: Sequence[Lfn], lifetime: timedelta) -> Mapping[Lfn, datetime]:
        """Let files that are kept for a time go after another time from now, longer or shorter than before.

        Returns until when each is kept; files that nothing keeps for a time are left out.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtendedFile:
    """A temporary file and when it will go now."""

    lfn: Lfn
    expires_at: datetime | None = None
    error: DppsError | None = None


def is_temporary(dataset: str) -> bool:
    """Tell whether a dataset holds temporary files: each has its own end, and the policy keeps none."""
    return Lfn(dataset).scope == TEMPORARY_SCOPE


def check_lifetime(lifetime: timedelta) -> None:
    """Refuse a lifetime that is not above zero, or that makes a file anything but temporary.

    Raises
    ------
    InvalidInput
        When it is not above zero, or longer than a year.
    """
    if not timedelta(0) < lifetime <= _LONGEST:
        raise InvalidInput(
            f"temporary files are kept for a time between 1 second and {_LONGEST.days} days, not {lifetime}",
            code="lifetime-invalid",
            next_step="give another --lifetime; what shall stay longer is a product: leave --temporary out",
        )


def extend_lifetime(
    principal: Principal,
    catalogue: Catalogue,
    keeper: TemporaryKeeper,
    lfns: Sequence[Lfn],
    lifetime: timedelta,
    *,
    dry_run: bool = False,
) -> list[ExtendedFile]:
    """Keep temporary files for a time from now, and say of each until when, in the order given.

    A dry run names no end, since it changes none; it tells which files cannot be kept.

    Raises
    ------
    NotAuthorized
        When the principal may not store temporary files.
    InvalidInput
        When the lifetime is no time of a temporary file.
    Unavailable
        When the catalogue does not answer.
    """
    check_lifetime(lifetime)
    for lfn in lfns:
        authorize(principal, Action.STORE, lfn.name)
    errors: dict[Lfn, DppsError] = {}
    for lfn, file in zip(lfns, catalogue.files(lfns), strict=True):
        if lfn.scope != TEMPORARY_SCOPE:
            errors[lfn] = _not_temporary(lfn)
        elif file is None or file.dataset is None:
            errors[lfn] = _gone(lfn)
    kept = [lfn for lfn in dict.fromkeys(lfns) if lfn not in errors]
    if dry_run:
        return [ExtendedFile(lfn=lfn, error=errors.get(lfn)) for lfn in lfns]
    expiries = keeper.extend(kept, lifetime) if kept else {}
    return [
        ExtendedFile(
            lfn=lfn,
            expires_at=expiries.get(lfn),
            error=errors.get(lfn) or (None if lfn in expiries else _gone(lfn)),
        )
        for lfn in lfns
    ]


def _not_temporary(lfn: Lfn) -> InvalidInput:
    return InvalidInput(
        f"{lfn} is no temporary file: it has no end of life to put off",
        code="not-temporary",
        next_step=f"see what keeps it: dpps data info {lfn}",
        lfn=lfn,
    )


def _gone(lfn: Lfn) -> NotFound:
    return NotFound(
        f"there is no temporary file {lfn}, or its time was over",
        code="lfn-unknown",
        next_step=f"list what is there: dpps data ls {lfn.parent}",
        lfn=lfn,
    )
