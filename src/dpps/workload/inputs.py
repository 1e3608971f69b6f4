"""The files of an input that the archive has already: what a query finds, or a named dataset holds."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import batched

from dpps.data.named_datasets import NamedDatasets, dataset_lfns
from dpps.data.ports import Catalogue
from dpps.data.query import find_files
from dpps.data.visibility import is_visible
from dpps.domain.errors import InvalidInput, NotFound
from dpps.domain.files import ArchivedFile
from dpps.domain.names import Lfn
from dpps.domain.principals import Principal
from dpps.workload.definition import InputDefinition

__all__ = ["archived_inputs"]

_BATCH = 500
_TYPE_KEYS = ("data__level", "data__division", "data__association", "data__type")
"""Metadata keys of the parts of a product type."""


def archived_inputs(
    principal: Principal,
    catalogue: Catalogue,
    datasets: NamedDatasets,
    given: InputDefinition,
    *,
    transformation: str,
    name: str,
) -> tuple[ArchivedFile, ...] | None:
    """Return the files of an input; None when an earlier transformation makes them.

    Parameters
    ----------
    principal : Principal
        Who asks.
    catalogue : Catalogue
        The archive.
    datasets : NamedDatasets
        Stored queries and fixed lists.
    given : InputDefinition
        Where the files come from.
    transformation, name : str
        Whose input it is; errors name it.

    Raises
    ------
    InvalidInput
        When there is no file, no such dataset, a fixed list names files that the archive does not have, or
        a file is of another product type than the input expects.
    """
    if given.query is not None:
        files = tuple(find_files(principal, catalogue, given.query))
    elif given.dataset is not None:
        place = f"transformation {transformation!r}, input {name!r}"
        files = _of_dataset(principal, catalogue, datasets, given.dataset, place)
    else:
        return None
    if not files:
        kind, again = (
            ("query", f'dpps data find "{given.query}"')
            if given.query is not None
            else ("dataset", f"dpps data dataset show {given.dataset}")
        )
        raise InvalidInput(
            f"transformation {transformation!r}: the {kind} of input {name!r} finds no file: "
            f"{given.query or given.dataset}",
            code=f"{kind}-empty",
            next_step=f"try it: {again}",
            transformation=transformation,
        )
    if given.product is not None:
        _check_products(files, given.product, transformation, name)
    return files


def _check_products(files: Sequence[ArchivedFile], product: str, transformation: str, name: str) -> None:
    """Refuse files whose metadata name another product type; what they do not tell is not compared."""
    wanted = dict(zip(_TYPE_KEYS, product.split("/"), strict=False))
    for file in files:
        told = {key: file.metadata[key] for key in wanted if file.metadata.get(key) is not None}
        if any(told[key] != wanted[key] for key in told):
            raise InvalidInput(
                f"transformation {transformation!r}, input {name!r}: {product} is expected, and {file.lfn} "
                f"is {'/'.join(map(str, told.values()))}",
                code="product-unexpected",
                next_step="narrow the query or the dataset, or correct 'product' of this input",
                transformation=transformation,
                lfn=file.lfn,
            )


def _of_dataset(
    principal: Principal, catalogue: Catalogue, datasets: NamedDatasets, dataset: str, place: str
) -> tuple[ArchivedFile, ...]:
    files: list[ArchivedFile] = []
    missing: list[Lfn] = []
    try:
        for lfns in batched(dataset_lfns(principal, catalogue, datasets, dataset), _BATCH):
            for lfn, file in zip(lfns, catalogue.files(lfns), strict=True):
                if file is None or not is_visible(file):
                    missing.append(lfn)
                else:
                    files.append(file)
    except NotFound as unknown:
        raise InvalidInput(
            f"{place}: {unknown.message}",
            code=unknown.code,
            next_step=unknown.next_step,
            dataset=dataset,
        ) from unknown
    if missing:
        raise InvalidInput(
            f"{place}: the archive does not have {len(missing)} files of the dataset {dataset!r}, "
            f"e.g. {missing[0]}",
            code="dataset-incomplete",
            next_step="freeze a new dataset, or have these files brought back",
            dataset=dataset,
            lfn=missing[0],
        )
    return tuple(files)
