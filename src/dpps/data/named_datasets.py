"""Named datasets: queries that are kept under a name, or lists of files that were fixed.

A query follows the archive: what it finds grows. A frozen dataset is the list of what it found at one moment,
with a digest, so that an analysis can be cited.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import batched
from typing import Protocol

from dpps.data.ports import Catalogue
from dpps.data.query import find_lfns, parse_place, parse_query
from dpps.domain.errors import Conflict, InvalidInput, NotFound
from dpps.domain.names import Lfn
from dpps.domain.principals import Action, Principal, authorize

__all__ = [
    "DatasetSize",
    "NamedDataset",
    "NamedDatasets",
    "dataset_lfns",
    "dataset_size",
    "find_dataset",
    "freeze_dataset",
    "list_datasets",
    "remove_dataset",
    "save_dataset",
    "unknown_dataset",
]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")
_DESCRIPTION_MAX = 1000
_BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedDataset:
    """A stored query, or a frozen list."""

    name: str
    expression: str
    """The query."""
    under: str = "/"
    """Place in which it looks."""
    description: str = ""
    owner: str = ""
    """Principal who saved it."""
    saved_at: datetime
    frozen_at: datetime | None = None
    """When the list was fixed; None for a query that follows the archive."""
    digest: str | None = None
    """``sha256:…`` of the frozen names, one a line, in their order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetSize:
    """How much a dataset holds now."""

    files: int
    size_bytes: int
    missing: int
    """Frozen names that the archive no longer has."""


class NamedDatasets(Protocol):
    """Where named datasets are kept."""

    def save(self, dataset: NamedDataset) -> None:
        """Keep a dataset.

        Raises
        ------
        Conflict
            When the name is taken.
        """
        ...

    def get(self, name: str) -> NamedDataset | None:
        """Return a dataset, or None."""
        ...

    def all(self) -> list[NamedDataset]:
        """Return every dataset, by name."""
        ...

    def remove(self, name: str) -> bool:
        """Forget a dataset; return whether there was one."""
        ...

    def freeze(self, name: str, lfns: Iterable[Lfn], finished: Callable[[], NamedDataset]) -> NamedDataset:
        """Replace a dataset by its frozen form with its files, in order, whole or not at all.

        Parameters
        ----------
        name : str
            Which dataset.
        lfns : iterable of Lfn
            The files, however many; taken one after the other.
        finished : callable
            Gives the frozen form, called after the last of them.
        """
        ...

    def frozen(self, name: str, *, skip: int, limit: int) -> list[Lfn]:
        """Return files of a frozen dataset in the order they were given, without the first ones."""
        ...


def save_dataset(principal: Principal, datasets: NamedDatasets, dataset: NamedDataset) -> NamedDataset:
    """Keep a query under a name; saying the same again changes nothing.

    Raises
    ------
    NotAuthorized
        When the principal may not read: whoever may query may keep a query.
    InvalidInput
        When the name, the query or the place is malformed.
    Conflict
        When the name stands for something else.
    """
    authorize(principal, Action.READ, dataset.name)
    _check(dataset)
    owned = replace(dataset, owner=principal.name)
    known = datasets.get(owned.name)
    if known is None:
        datasets.save(owned)
        return owned
    if (known.expression, known.under, known.frozen_at) != (owned.expression, owned.under, None):
        raise Conflict(
            f"the dataset {owned.name} exists and stands for something else",
            code="dataset-taken",
            next_step=f"choose another name, or see it: dpps data dataset show {owned.name}",
            dataset=owned.name,
        )
    return known


def find_dataset(principal: Principal, datasets: NamedDatasets, name: str) -> NamedDataset:
    """Return a named dataset.

    Raises
    ------
    NotFound
        When there is none of this name.
    """
    authorize(principal, Action.READ, name)
    known = datasets.get(name)
    if known is None:
        raise unknown_dataset(name)
    return known


def list_datasets(principal: Principal, datasets: NamedDatasets) -> list[NamedDataset]:
    """Return every named dataset, by name."""
    authorize(principal, Action.READ, "named datasets")
    return datasets.all()


def remove_dataset(principal: Principal, datasets: NamedDatasets, name: str) -> None:
    """Forget a named dataset; no file is touched. Only its owner, or who operates the system, may.

    Raises
    ------
    NotFound
        When there is none of this name.
    NotAuthorized
        When it belongs to someone else.
    """
    known = find_dataset(principal, datasets, name)
    if known.owner != principal.name:
        authorize(principal, Action.OPERATE, name)
    datasets.remove(name)


def freeze_dataset(
    principal: Principal, catalogue: Catalogue, datasets: NamedDatasets, name: str, now: datetime
) -> NamedDataset:
    """Fix the list of files that a dataset finds now, for ever; freezing a frozen one changes nothing.

    Raises
    ------
    NotFound
        When there is none of this name.
    NotAuthorized
        When it belongs to someone else.
    """
    known = find_dataset(principal, datasets, name)
    if known.frozen_at is not None:
        return known
    if known.owner != principal.name:
        authorize(principal, Action.OPERATE, name)
    digest = hashlib.sha256()

    def noted() -> Iterator[Lfn]:
        for lfn in dataset_lfns(principal, catalogue, datasets, name):
            digest.update(f"{lfn}\n".encode())
            yield lfn

    def finished() -> NamedDataset:
        return replace(known, frozen_at=now, digest=f"sha256:{digest.hexdigest()}")

    return datasets.freeze(name, noted(), finished)


def dataset_lfns(
    principal: Principal, catalogue: Catalogue, datasets: NamedDatasets, name: str
) -> Iterator[Lfn]:
    """Yield the files of a named dataset, in order.

    Raises
    ------
    NotFound
        When there is none of this name.
    """
    known = find_dataset(principal, datasets, name)
    if known.frozen_at is None:
        yield from find_lfns(principal, catalogue, parse_query(known.expression), parse_place(known.under))
        return
    skip = 0
    while page := datasets.frozen(name, skip=skip, limit=_BATCH):
        yield from page
        skip += len(page)


def dataset_size(
    principal: Principal, catalogue: Catalogue, datasets: NamedDatasets, name: str
) -> DatasetSize:
    """Return how many files and bytes a named dataset has now."""
    files = size_bytes = missing = 0
    for lfns in batched(dataset_lfns(principal, catalogue, datasets, name), _BATCH):
        for file in catalogue.files(lfns):
            files += 1
            missing += file is None
            size_bytes += 0 if file is None else file.content.size_bytes
    return DatasetSize(files=files, size_bytes=size_bytes, missing=missing)


def unknown_dataset(name: str) -> NotFound:
    """Return the error for a name that no dataset has."""
    return NotFound(
        f"there is no named dataset {name!r}",
        code="dataset-unknown",
        next_step="list them: dpps data dataset list",
        dataset=name,
    )


def _check(dataset: NamedDataset) -> None:
    if not _NAME.fullmatch(dataset.name):
        raise InvalidInput(
            f"{dataset.name[:80]!r} is no name for a dataset",
            code="dataset-name-invalid",
            next_step="use up to 100 letters, digits and ._+- and begin with a letter or digit",
        )
    if len(dataset.description) > _DESCRIPTION_MAX:
        raise InvalidInput(
            f"the description of {dataset.name} has {len(dataset.description)} characters",
            code="dataset-description-invalid",
            next_step=f"use at most {_DESCRIPTION_MAX}",
        )
    parse_query(dataset.expression)
    parse_place(dataset.under)
