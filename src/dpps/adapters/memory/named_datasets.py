"""Named datasets in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from dpps.data.named_datasets import NamedDataset
from dpps.domain.errors import Conflict
from dpps.domain.names import Lfn

__all__ = ["MemoryNamedDatasets"]


class MemoryNamedDatasets:
    """Keeps datasets in dictionaries."""

    def __init__(self) -> None:
        self._datasets: dict[str, NamedDataset] = {}
        self._frozen: dict[str, list[Lfn]] = {}

    def save(self, dataset: NamedDataset) -> None:
        """Keep a dataset."""
        if dataset.name in self._datasets:
            raise Conflict(
                f"the dataset {dataset.name} exists",
                code="dataset-taken",
                next_step="choose another name",
                dataset=dataset.name,
            )
        self._datasets[dataset.name] = dataset

    def get(self, name: str) -> NamedDataset | None:
        """Return a dataset, or None."""
        return self._datasets.get(name)

    def all(self) -> list[NamedDataset]:
        """Return every dataset, by name."""
        return [self._datasets[name] for name in sorted(self._datasets)]

    def remove(self, name: str) -> bool:
        """Forget a dataset; return whether there was one."""
        self._frozen.pop(name, None)
        return self._datasets.pop(name, None) is not None

    def freeze(self, name: str, lfns: Iterable[Lfn], finished: Callable[[], NamedDataset]) -> NamedDataset:
        """Replace a dataset by its frozen form with its files."""
        files = list(lfns)
        dataset = finished()
        self._datasets[name] = dataset
        self._frozen[name] = files
        return dataset

    def frozen(self, name: str, *, skip: int, limit: int) -> list[Lfn]:
        """Return files of a frozen dataset in the order they were given, without the first ones."""
        return self._frozen.get(name, [])[skip : skip + limit]
