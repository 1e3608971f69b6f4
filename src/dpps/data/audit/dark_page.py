"""Files that the catalogue does not know, a page at a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from dpps.data.audit.ports import Findings
from dpps.data.audit.records import DarkFile
from dpps.domain.principals import Action, Principal, authorize

__all__ = ["DarkPage", "dark_page"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DarkPage:
    """Some of the files, by storage and URL."""

    files: tuple[DarkFile, ...]
    next_after: tuple[str, str] | None
    """Storage and URL after which the next page begins; None: there is no more."""


def dark_page(
    principal: Principal,
    findings: Findings,
    seen_before: datetime,
    *,
    limit: int,
    rse: str | None = None,
    after: tuple[str, str] | None = None,
) -> DarkPage:
    """Return files that were seen first before a time.

    Parameters
    ----------
    principal : Principal
        Who asks.
    findings : Findings
        Where they are noted.
    seen_before : datetime
        When they were seen first at the latest.
    limit : int
        Greatest number of files.
    rse : str, optional
        Those of one storage.
    after : tuple of str, optional
        Storage and URL with which the page before ended; need not be there any more.

    Raises
    ------
    NotAuthorized
        When the principal may not read.
    """
    authorize(principal, Action.READ, "dark files")
    found = tuple(islice(findings.dark(seen_before, rse=rse, after=after), limit + 1))
    files, more = found[:limit], len(found) > limit
    return DarkPage(files=files, next_after=(files[-1].rse, files[-1].url) if more else None)
