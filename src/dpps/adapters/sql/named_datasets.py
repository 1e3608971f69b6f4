"""Named datasets in PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields
from itertools import batched
from typing import Final

from sqlalchemy import Engine, RowMapping, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from dpps.adapters.sql.dataset_tables import named_dataset, named_dataset_file
from dpps.adapters.sql.engine import database_errors
from dpps.data.named_datasets import NamedDataset
from dpps.domain.errors import Conflict
from dpps.domain.names import Lfn

__all__ = ["SqlNamedDatasets"]

_CHUNK: Final = 1000
_COLUMNS: Final = tuple(field.name for field in fields(NamedDataset))


class SqlNamedDatasets:
    """One row a dataset, one row a file of a frozen one.

    Parameters
    ----------
    engine : Engine
        The database ``dpps``.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def save(self, dataset: NamedDataset) -> None:
        """Keep a dataset."""
        row = {name: getattr(dataset, name) for name in _COLUMNS}
        with database_errors(), self._engine.begin() as connection:
            try:
                connection.execute(insert(named_dataset).values(**row))
            except IntegrityError as taken:
                raise Conflict(
                    f"the dataset {dataset.name} exists",
                    code="dataset-taken",
                    next_step="choose another name",
                    dataset=dataset.name,
                ) from taken

    def get(self, name: str) -> NamedDataset | None:
        """Return a dataset, or None."""
        wanted = select(named_dataset).where(named_dataset.c.name == name)
        with database_errors(), self._engine.connect() as connection:
            row = connection.execute(wanted).mappings().first()
        return None if row is None else _dataset(row)

    def all(self) -> list[NamedDataset]:
        """Return every dataset, by name."""
        with database_errors(), self._engine.connect() as connection:
            rows = connection.execute(select(named_dataset).order_by(named_dataset.c.name)).mappings().all()
        return [_dataset(row) for row in rows]

    def remove(self, name: str) -> bool:
        """Forget a dataset; return whether there was one."""
        with database_errors(), self._engine.begin() as connection:
            done = connection.execute(delete(named_dataset).where(named_dataset.c.name == name))
        return done.rowcount > 0

    def freeze(self, name: str, lfns: Iterable[Lfn], finished: Callable[[], NamedDataset]) -> NamedDataset:
        """Replace a dataset by its frozen form with its files."""
        with database_errors(), self._engine.begin() as connection:
            for chunk in batched(enumerate(lfns), _CHUNK):
                rows = [{"dataset": name, "position": position, "lfn": lfn.name} for position, lfn in chunk]
                connection.execute(insert(named_dataset_file), rows)
            dataset = finished()
            connection.execute(
                update(named_dataset)
                .where(named_dataset.c.name == name)
                .values(frozen_at=dataset.frozen_at, digest=dataset.digest)
            )
        return dataset

    def frozen(self, name: str, *, skip: int, limit: int) -> list[Lfn]:
        """Return files of a frozen dataset in the order they were given, without the first ones."""
        table = named_dataset_file
        wanted = (
            select(table.c.lfn)
            .where(table.c.dataset == name, table.c.position >= skip)
            .order_by(table.c.position)
            .limit(limit)
        )
        with database_errors(), self._engine.connect() as connection:
            return [Lfn(lfn) for lfn in connection.execute(wanted).scalars()]


def _dataset(row: RowMapping) -> NamedDataset:
    return NamedDataset(**{name: row[name] for name in _COLUMNS})
