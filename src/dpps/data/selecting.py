"""Selections of files: names, patterns, folders, a query, a named dataset, a list; however many there are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import batched

from dpps.data.named_datasets import NamedDatasets, dataset_lfns
from dpps.data.ports import Catalogue
from dpps.data.query import find_lfns, parse_place, parse_query
from dpps.domain.errors import InvalidInput
from dpps.domain.names import Lfn
from dpps.domain.principals import Principal

__all__ = ["Selection", "selected_lfns"]

_BATCH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What someone asked for; the parts are added to each other."""

    names: Iterable[str] = ()
    """Files, folders of files and patterns; taken as they are needed."""
    query: str | None = None
    """Conditions on metadata."""
    under: str = "/"
    """Place in which the query looks."""
    dataset: str | None = None
    """Name of a stored query or list."""


def selected_lfns(
    principal: Principal, catalogue: Catalogue, datasets: NamedDatasets, selection: Selection
) -> Iterator[Lfn]:
    """Yield the files of a selection, as they are needed.

    A name without wildcards that is no file but a folder stands for all files below it. A name that is
    nothing is yielded as it is: who reads it says that it is unknown.

    Raises
    ------
    NotAuthorized
        When the principal may not read.
    InvalidInput
        When a name, pattern or query is malformed, or nothing was asked for.
    NotFound
        When there is no such place or named dataset.
    """
    asked = False
    for batch in batched(selection.names, _BATCH):
        asked = True
        yield from _named(principal, catalogue, batch)
    if selection.query is not None:
        asked = True
        yield from find_lfns(principal, catalogue, parse_query(selection.query), parse_place(selection.under))
    if selection.dataset is not None:
        asked = True
        yield from dataset_lfns(principal, catalogue, datasets, selection.dataset)
    if not asked:
        raise InvalidInput(
            "no files are selected",
            code="selection-empty",
            next_step="name files, folders or patterns, or give a query or a named dataset",
        )


def _named(principal: Principal, catalogue: Catalogue, names: Sequence[str]) -> Iterator[Lfn]:
    places = [parse_place(name) for name in names]
    plain = [
        Lfn(str(place)) for place in places if not place.is_glob and place.scope and _is_long(str(place))
    ]
    known = {lfn for lfn, file in zip(plain, catalogue.files(plain), strict=True) if file is not None}
    files = {lfn.name: lfn for lfn in plain}
    for place in places:
        lfn = files.get(str(place))
        if lfn is not None and (lfn in known or not catalogue.datasets(lfn.name)):
            yield lfn
        else:
            yield from find_lfns(principal, catalogue, place=place)


def _is_long(name: str) -> bool:
    """Tell whether a path has as many components as the name of a file."""
    return name.count("/") > 2
