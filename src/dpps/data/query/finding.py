"""Finding files: the use cases behind ``dpps data find`` and every selection of files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dpps.data.ports import Catalogue
from dpps.data.query.expressions import EVERYTHING, Query
from dpps.data.query.parsing import parse_query
from dpps.data.query.places import EVERYWHERE, Place, parse_place
from dpps.domain.errors import InvalidInput, NotFound
from dpps.domain.files import ArchivedFile
from dpps.domain.names import Lfn
from dpps.domain.principals import Action, Principal, authorize

__all__ = ["FoundPage", "find_files", "find_lfns", "find_page"]

_STREAM = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundPage:
    """A part of what meets a query, by name."""

    files: tuple[ArchivedFile, ...]
    after: str | None
    """Give this to get the next page; None when there is none."""


def find_page(
    principal: Principal,
    catalogue: Catalogue,
    expression: str,
    *,
    under: str = "/",
    after: str | None = None,
    limit: int = 100,
) -> FoundPage:
    """Return one page of the files that meet an expression, by name.

    Parameters
    ----------
    principal : Principal
        Who asks.
    catalogue : Catalogue
        Where to look.
    expression : str
        Conditions on metadata; empty for all files.
    under : str
        Path below which to look, or pattern of names.
    after : str, optional
        `FoundPage.after` of the page before.
    limit : int
        At most so many files.

    Raises
    ------
    NotAuthorized
        When the principal may not read.
    InvalidInput
        When the expression, the place or the token is malformed.
    NotFound
        When the place does not exist.
    """
    authorize(principal, Action.READ, under)
    query, place = parse_query(expression), parse_place(under)
    start = Lfn(after) if after is not None else None
    lfns = catalogue.find(query, place=place, after=start, limit=limit + 1)
    if not lfns and start is None:
        require_place(catalogue, place)
    page = lfns[:limit]
    files = tuple(file for file in catalogue.files(page) if file is not None)
    return FoundPage(files=files, after=page[-1].name if len(lfns) > limit else None)


def find_lfns(
    principal: Principal, catalogue: Catalogue, query: Query = EVERYTHING, place: Place = EVERYWHERE
) -> Iterator[Lfn]:
    """Yield the names of all files that meet a query, in order, however many there are.

    The memory that is needed does not grow with their number. Files that appear meanwhile may or may not be
    among them; none is yielded twice.

    Raises
    ------
    NotAuthorized
        When the principal may not read.
    NotFound
        When the place does not exist.
    """
    authorize(principal, Action.READ, str(place))
    after: Lfn | None = None
    while True:
        page = catalogue.find(query, place=place, after=after, limit=_STREAM)
        if not page and after is None:
            require_place(catalogue, place)
        yield from page
        if len(page) < _STREAM:
            return
        after = page[-1]


def find_files(
    principal: Principal,
    catalogue: Catalogue,
    expression: str,
    *,
    under: str = "/",
    limit: int | None = None,
) -> list[ArchivedFile]:
    """Return the files of the archive that meet an expression, by name, all at once.

    Raises
    ------
    NotAuthorized
        When the principal may not read.
    InvalidInput
        When the expression or the place is malformed.
    NotFound
        When the place does not exist.
    """
    authorize(principal, Action.READ, under)
    place = parse_place(under)
    lfns = catalogue.find(parse_query(expression), place=place, limit=limit)
    if not lfns:
        require_place(catalogue, place)
    return [file for file in catalogue.files(lfns) if file is not None]


def require_place(catalogue: Catalogue, place: Place) -> None:
    """Raise when there is nothing of this name: a slip of the pen must not look like an empty answer.

    Raises
    ------
    NotFound
        When the folder of the place does not exist.
    """
    folder = place.folder
    if not folder or catalogue.datasets(folder) or _is_file(catalogue, folder):
        return
    raise NotFound(
        f"the archive has no folder {folder}",
        code="folder-unknown",
        next_step="list from the top: dpps data ls /",
        path=folder,
    )


def _is_file(catalogue: Catalogue, name: str) -> bool:
    try:
        lfn = Lfn(name)
    except InvalidInput:
        return False  # too short for a file: the top folder of a virtual organisation
    known: Sequence[ArchivedFile | None] = catalogue.files([lfn])
    return known[0] is not None
