"""What every implementation of the ``NamedDatasets`` port must do.

Subclass `NamedDatasetsContract` in ``tests/contract``; give the fixture ``datasets``.
"""
# ruff: noqa: D102 - the names of the tests say it

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from dpps.data.named_datasets import NamedDataset, NamedDatasets
from dpps.domain.errors import Conflict, Unavailable
from dpps.domain.names import Lfn

__all__ = ["NamedDatasetsContract"]

_NOW = datetime(2026, 2, 14, 21, 30, tzinfo=UTC)
_CRAB = NamedDataset(
    name="crab-2026",
    expression="data__level = 'DL3'",
    under="/ctao/dpps",
    description="Crab nebula",
    owner="ada",
    saved_at=_NOW,
)


class NamedDatasetsContract:
    """The suite."""

    def test_what_is_saved_is_found(self, datasets: NamedDatasets) -> None:
        assert datasets.get(_CRAB.name) is None
        other = replace(_CRAB, name="a-first")
        datasets.save(_CRAB)
        datasets.save(other)
        assert datasets.get(_CRAB.name) == _CRAB
        assert datasets.all() == [other, _CRAB]

    def test_a_name_is_given_once(self, datasets: NamedDatasets) -> None:
        datasets.save(_CRAB)
        with pytest.raises(Conflict, match="crab-2026"):
            datasets.save(replace(_CRAB, expression=""))
        assert datasets.get(_CRAB.name) == _CRAB

    def test_what_is_removed_is_gone(self, datasets: NamedDatasets) -> None:
        datasets.save(_CRAB)
        assert datasets.remove(_CRAB.name)
        assert not datasets.remove(_CRAB.name)
        assert datasets.all() == []
        datasets.save(_CRAB)

    def test_frozen_files_come_page_by_page_in_their_order(self, datasets: NamedDatasets) -> None:
        datasets.save(_CRAB)
        frozen = replace(_CRAB, frozen_at=_NOW, digest="sha256:0")
        lfns = [Lfn(f"/ctao/dpps/x/{number:04d}") for number in reversed(range(2500))]
        assert datasets.freeze(_CRAB.name, iter(lfns), lambda: frozen) == frozen
        assert datasets.get(_CRAB.name) == frozen
        assert datasets.frozen(_CRAB.name, skip=0, limit=3) == lfns[:3]
        assert datasets.frozen(_CRAB.name, skip=2498, limit=10) == lfns[2498:]
        assert datasets.frozen(_CRAB.name, skip=2500, limit=10) == []
        assert datasets.remove(_CRAB.name)
        assert datasets.frozen(_CRAB.name, skip=0, limit=3) == []

    def test_freezing_happens_whole_or_not_at_all(self, datasets: NamedDatasets) -> None:
        def broken() -> Iterator[Lfn]:
            yield Lfn("/ctao/dpps/x/1")
            raise Unavailable("the catalogue went away")

        datasets.save(_CRAB)
        with pytest.raises(Unavailable):
            datasets.freeze(_CRAB.name, broken(), lambda: replace(_CRAB, frozen_at=_NOW))
        assert datasets.get(_CRAB.name) == _CRAB
        assert datasets.frozen(_CRAB.name, skip=0, limit=3) == []
