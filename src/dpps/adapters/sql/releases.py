"""Releases of copies, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import batched
from typing import Final

from sqlalchemy import Connection, Engine, RowMapping, delete, select, tuple_
from sqlalchemy.dialects.postgresql import insert

from dpps.adapters.sql.engine import database_errors
from dpps.adapters.sql.preservation_tables import release as table
from dpps.data.audit.records import CopyKey
from dpps.data.preservation.releasing import Release
from dpps.domain.files import FileContent
from dpps.domain.names import Lfn

__all__ = ["SqlReleases"]

_CHUNK: Final = 1000
_CHANGING: Final = ("dataset", "size_bytes", "adler32", "relied_on", "released_at")


class SqlReleases:
    """One row a released copy.

    Parameters
    ----------
    engine : Engine
        The database ``dpps``.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def note(self, releases: Sequence[Release]) -> None:
        """Remember releases, in place of earlier ones of the same copies."""
        for chunk in batched(sorted(releases, key=lambda one: one.key), _CHUNK):
            new = insert(table).values([_row(one) for one in chunk])
            changed = {name: new.excluded[name] for name in _CHANGING}
            with database_errors(), self._engine.begin() as connection:
                connection.execute(new.on_conflict_do_update(index_elements=["lfn", "rse"], set_=changed))

    def of(self, copies: Sequence[CopyKey]) -> Mapping[CopyKey, Release]:
        """Return the releases of these copies; those that were not released are left out."""
        found: dict[CopyKey, Release] = {}
        for chunk in batched(copies, _CHUNK):
            query = select(table).where(tuple_(table.c.lfn, table.c.rse).in_(map(_names, chunk)))
            with database_errors(), self._engine.connect() as connection:
                rows = connection.execute(query).mappings().all()
            found |= {one.key: one for one in map(_release, rows)}
        return found

    def forget(self, copies: Sequence[CopyKey]) -> None:
        """Forget releases; unknown is no error."""
        if copies:
            with database_errors(), self._engine.begin() as connection:
                _delete(connection, copies)

    def forget_all_but(self, dataset: str, copies: Collection[CopyKey]) -> None:
        """Forget the releases of a dataset's copies but of these, which are still there."""
        query = select(table.c.lfn, table.c.rse).where(table.c.dataset == dataset)
        with database_errors(), self._engine.begin() as connection:
            known = [CopyKey(Lfn(lfn), rse) for lfn, rse in connection.execute(query)]
            _delete(connection, [key for key in known if key not in copies])


def _delete(connection: Connection, copies: Sequence[CopyKey]) -> None:
    for chunk in batched(copies, _CHUNK):
        gone = tuple_(table.c.lfn, table.c.rse).in_(map(_names, chunk))
        connection.execute(delete(table).where(gone))


def _names(key: CopyKey) -> tuple[str, str]:
    return key.lfn.name, key.rse


def _row(one: Release) -> dict[str, object]:
    return {
        "lfn": one.lfn.name,
        "rse": one.rse,
        "dataset": one.dataset,
        "size_bytes": one.content.size_bytes,
        "adler32": one.content.adler32,
        "relied_on": list(one.relied_on),
        "released_at": one.released_at,
    }


def _release(row: RowMapping) -> Release:
    return Release(
        lfn=Lfn(row["lfn"]),
        rse=row["rse"],
        dataset=row["dataset"],
        content=FileContent(size_bytes=row["size_bytes"], adler32=row["adler32"]),
        relied_on=tuple(row["relied_on"]),
        released_at=row["released_at"],
    )
