"""Folders of logical names as Rucio's datasets and containers."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from dpps.adapters.rucio.errors import catalogue_errors
from dpps.domain.errors import Conflict
from dpps.domain.names import Lfn

__all__ = ["FolderTree"]


class FolderTree:
    """Makes datasets with the containers above them, each once.

    Parameters
    ----------
    client : rucio.client.Client
        A connected client.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._ensured: set[str] = set()

    def ensure(self, dataset: str) -> None:
        """Make a dataset and its containers, from ``/<vo>/<scope>/…`` downwards, unless they exist.

        Raises
        ------
        Conflict
            When one of the names is taken by something else.
        """
        if dataset in self._ensured:
            return
        levels = _levels(Lfn(dataset))
        with catalogue_errors(f"make the dataset {dataset}"):
            known = {did["name"]: did["did_type"] for did in self._client.get_metadata_bulk(_dids(levels))}
            self._check(levels, known)
            missing = [level for level in levels if level.name not in known]
            if missing:
                self._add(missing, dataset)
            if len(levels) > 1:
                self._client.attach_dids_to_dids(_links(levels), ignore_duplicate=True)
        self._ensured.add(dataset)

    def _add(self, missing: list[Lfn], dataset: str) -> None:
        from rucio.common.exception import DataIdentifierAlreadyExists

        for level in missing:
            kind = "DATASET" if level.name == dataset else "CONTAINER"
            try:
                self._client.add_did(level.scope, level.name, kind)
            except DataIdentifierAlreadyExists:
                continue  # another process made it meanwhile

    def _check(self, levels: list[Lfn], known: dict[str, str]) -> None:
        for level in levels:
            wanted = "DATASET" if level is levels[-1] else "CONTAINER"
            if known.get(level.name, wanted) != wanted:
                found = known[level.name].lower()
                raise Conflict(
                    f"{level} is a {found} of the catalogue and cannot be a {wanted.lower()}",
                    code="folder-taken",
                    next_step="keep files and folders of files in different folders",
                    lfn=level,
                )


def _levels(dataset: Lfn) -> list[Lfn]:
    """Return the dataset and the containers above it, the highest first."""
    parts = dataset.name.split("/")
    return [Lfn("/".join(parts[:depth])) for depth in range(4, len(parts) + 1)]


def _dids(levels: list[Lfn]) -> list[dict[str, str]]:
    return [{"scope": level.scope, "name": level.name} for level in levels]


def _links(levels: list[Lfn]) -> list[dict[str, Any]]:
    return [
        {"scope": upper.scope, "name": upper.name, "dids": [{"scope": lower.scope, "name": lower.name}]}
        for upper, lower in pairwise(levels)
    ]
