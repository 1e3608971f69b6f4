"""Giving a quarantined file back to be tried again, or deleting it for good; an ingest may run beside.

A release goes in this order: which file is given back is noted in its reason, the file appears at its place,
its name in quarantine goes, the trigger announces it, the reason goes. A file that is announced has one name
therefore, and no step here can take the last one. Killed before the trigger, it is released again.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from dpps.data.fixity import local_error
from dpps.data.handover import HandedFile, trigger_of
from dpps.data.quarantine import finish_quarantine
from dpps.data.quarantine_reasons import (
    RELEASED,
    QuarantinedFile,
    find_reason,
    identity_of,
    is_same,
    read_reason,
    reason_of,
    remove_company,
    write_reason,
)
from dpps.domain.errors import Conflict
from dpps.domain.principals import Action, Principal, authorize

__all__ = ["discard_quarantined", "release_quarantined"]

_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK})
"""What a file system without hard links says."""


def release_quarantined(principal: Principal, root: Path, name: str) -> HandedFile:
    """Give a file back to the place where it was handed over, with its trigger, to be tried again.

    Parameters
    ----------
    principal : Principal
        Who decides.
    root : Path
        The hand-over folder.
    name : str
        The file, as for `find_quarantined`.

    Raises
    ------
    NotAuthorized
        When the principal may not decide about quarantined files.
    NotFound
        When there is no such file in quarantine.
    Conflict
        When another file was handed over, or announced, at its place since.
    """
    authorize(principal, Action.RELEASE, name)
    target, file = find_reason(root, name)
    handed = HandedFile(root, trigger_of(root / file.handed))
    try:
        if handed.trigger.exists(follow_symlinks=False) and finish_quarantine(handed) is None:
            raise _taken(file, handed.path)
        noted = identity_of(file.path)
        write_reason(target, {**(read_reason(target) or {}), RELEASED: noted})
        if file.path != handed.path:
            handed.path.parent.mkdir(parents=True, exist_ok=True)
            _give_back(file, handed.path)
            target.unlink(missing_ok=True)
        trigger_of(target).unlink(missing_ok=True)
        handed.trigger.symlink_to(handed.path.name)
        # An ingest beside us may have found it wrong again, and written a reason of its own.
        if (read_reason(target) or {}).get(RELEASED) == noted:
            reason_of(target).unlink(missing_ok=True)
    except FileExistsError:
        raise _taken(file, handed.path) from None
    except OSError as wrong:
        raise local_error(wrong, file.path) from wrong
    return handed


def _give_back(file: QuarantinedFile, place: Path) -> None:
    """Let a file appear where it was handed over, in place of none: a rename would replace another one.

    On a file system without hard links a look comes before the rename; only there could another writer come
    between the two.
    """
    try:
        os.link(file.path, place, follow_symlinks=False)
    except FileExistsError:
        if not is_same(file.path, place):
            raise _taken(file, place) from None
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if place.exists(follow_symlinks=False):
            raise _taken(file, place) from None
        file.path.rename(place)


def _taken(file: QuarantinedFile, place: Path) -> Conflict:
    return Conflict(
        f"{place} was handed over again since {file.path} was quarantined",
        code="quarantine-place-taken",
        next_step=f"remove the quarantined file: dpps ingest quarantine release --discard {file.path}",
        path=place,
        quarantined=file.path,
    )


def discard_quarantined(principal: Principal, root: Path, name: str) -> QuarantinedFile:
    """Delete a quarantined file for good, with its trigger and its reason.

    Raises
    ------
    NotAuthorized
        When the principal may not decide about quarantined files.
    NotFound
        When there is no such file in quarantine.
    """
    authorize(principal, Action.RELEASE, name)
    target, file = find_reason(root, name)
    try:
        file.path.unlink()
        remove_company(target)
    except OSError as wrong:
        raise local_error(wrong, file.path) from wrong
    return file
