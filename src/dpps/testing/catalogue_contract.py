"""What every implementation of the ``Catalogue`` port must do.

Subclass `CatalogueContract` in ``tests/contract``; give the fixtures ``catalogue``, ``raw`` and ``folder``.
The suite looks at what is stored through ``raw`` only: no adapter is checked with its own read.
"""
# ruff: noqa: D102 - the names of the tests say it

from __future__ import annotations

from dataclasses import replace

import pytest

from dpps.data.ports import Catalogue
from dpps.data.query import EVERYTHING, Place
from dpps.domain.errors import Conflict, DppsError, InvalidInput, NotFound
from dpps.domain.files import FileContent, MetadataValue, ReplicaState
from dpps.domain.names import Lfn
from dpps.testing.catalogue_case import RawCatalogue
from dpps.testing.catalogue_finding_contract import CatalogueFindingContract
from dpps.testing.catalogue_rules_contract import CatalogueRulesContract

__all__ = ["CatalogueContract", "RawCatalogue"]


class CatalogueContract(CatalogueFindingContract, CatalogueRulesContract):
    """The suite. ``folder`` is a path ``/<vo>/<scope>/<unique>`` in which nothing else is."""

    def test_storages_say_where_they_are(self, catalogue: Catalogue, raw: RawCatalogue) -> None:
        elements = catalogue.storage_elements()
        by_name = {element.rse: element for element in elements}
        assert [element.rse for element in elements] == sorted(by_name)
        assert by_name[raw.onsite_rse].onsite
        assert not by_name[raw.offsite_rse].onsite
        assert all("://" in element.url_prefix for element in elements)
        assert not any(element.url_prefix.endswith("/") for element in elements)

    def test_registering_stores_content_metadata_and_copy(
        self, catalogue: Catalogue, raw: RawCatalogue, folder: str
    ) -> None:
        told: dict[str, MetadataValue] = {
            "data__level": "DL0",
            "instance__obs_id": 2000000456,
            "simulation__node__zenith": 20.5,
            "dpps__toy": False,
            "dpps__inputs": ["/ctao/dpps/x", "/ctao/dpps/y"],
            "tel_ids": [1, 4],
        }
        file = self.file(folder, "a/one.dat", rse=raw.onsite_rse, adler32="00000001", metadata=told)
        (outcome,) = catalogue.register([file])
        assert outcome.created
        assert outcome.error is None
        assert raw.content(file.lfn) == file.content
        assert raw.metadata(file.lfn) == {"dpps__schema": 1, **told}
        assert raw.copies(file.lfn) == {raw.onsite_rse}

    def test_a_registered_file_is_known_but_invisible_until_attached(
        self, catalogue: Catalogue, raw: RawCatalogue, folder: str
    ) -> None:
        file = self.file(folder, "a/one.dat", rse=raw.onsite_rse)
        catalogue.register([file])
        (known,) = catalogue.files([file.lfn])
        assert known is not None
        assert known.dataset is None
        assert catalogue.find(EVERYTHING, place=Place(folder)) == []
        assert raw.members(file.dataset) == set()
        catalogue.attach(file.dataset, [file.lfn])
        (known,) = catalogue.files([file.lfn])
        assert known is not None
        assert known.dataset == file.dataset
        assert catalogue.find(EVERYTHING, place=Place(folder)) == [file.lfn]
        assert raw.members(file.dataset) == {file.lfn.name}

    def test_repeating_changes_nothing(self, catalogue: Catalogue, raw: RawCatalogue, folder: str) -> None:
        file = self.file(folder, "a/one.dat", rse=raw.onsite_rse)
        self.enter(catalogue, file)
        (outcome,) = catalogue.register([file])
        assert not outcome.created
        assert outcome.error is None
        catalogue.attach(file.dataset, [file.lfn])
        assert raw.copies(file.lfn) == {raw.onsite_rse}
        assert raw.members(file.dataset) == {file.lfn.name}

    def test_other_content_is_a_conflict_of_that_file_only(
        self, catalogue: Catalogue, raw: RawCatalogue, folder: str
    ) -> None:
        file = self.file(folder, "a/one.dat", rse=raw.onsite_rse)
        self.enter(catalogue, file)
        other = replace(file, content=FileContent(size_bytes=1234, adler32="ffffffff"))
        free = self.file(folder, "a/two.dat", rse=raw.onsite_rse)
        outcomes = catalogue.register([other, free])
        assert isinstance(outcomes[0].error, Conflict)
        assert file.lfn.name in outcomes[0].error.message
        assert outcomes[1].error is None
        assert raw.content(file.lfn) == file.content
        assert raw.content(free.lfn) == free.content

    def test_one_call_with_two_contents_for_a_name_keeps_the_first(
        self, catalogue: Catalogue, raw: RawCatalogue, folder: str
    ) -> None:
        file = self.file(folder, "a/one.dat", rse=raw.onsite_rse)
        other = replace(file, content=FileContent(size_bytes=99, adler32="ffffffff"))
        outcomes = catalogue.register([file, other])
        assert outcomes[0].error is None
        assert isinstance(outcomes[1].error, Conflict)
        assert raw.content(file.lfn) == file.content

    def test_an_unknown_storage_is_refused(
        self, catalogue: Catalogue, raw: RawCatalogue, folder: str
    ) -> None:
        file = self.file(folder, "a/one.dat", rse="NOWHERE")
        good = self.file(folder, "a/two.dat", rse=raw.onsite_rse)
        refused, entered = catalogue.register([file, good])
        assert isinstance(refused.error, InvalidInput)
        assert "NOWHERE" in refused.error.message
        assert entered.error is None, "the other files of the call are not affected"
        assert raw.content(file.lfn) is None

    def test_files_answers_for_each_in_order(
        self, catalogue: Catalogue, raw: RawCatalogue, folder: str
    ) -> None:
        file = self.file(folder, "a/one.dat", rse=raw.onsite_rse, metadata={"data__level": "DL1"})
        self.enter(catalogue, file)
        raw.add_copy(file.lfn, raw.offsite_rse)
        unknown = Lfn(f"{folder}/a/none.dat")
        absent, known, again = catalogue.files([unknown, file.lfn, file.lfn])
        assert absent is None
        assert known is not None
        assert known == again
        assert known.content == file.content
        assert known.metadata == {"dpps__schema": 1, "data__level": "DL1"}
        prefixes = {element.rse: element.url_prefix for element in catalogue.storage_elements()}
        assert [(one.rse, one.pfn, one.state, one.onsite) for one in known.replicas] == sorted(
            (rse, prefixes[rse] + file.lfn.name, ReplicaState.AVAILABLE, rse == raw.onsite_rse)
            for rse in (raw.onsite_rse, raw.offsite_rse)
        )
        assert catalogue.files([]) == []

    def test_datasets_and_members(self, catalogue: Catalogue, raw: RawCatalogue, folder: str) -> None:
        names = ["b/2.dat", "b/1.dat", "c/d/3.dat"]
        self.enter(catalogue, *(self.file(folder, name, rse=raw.onsite_rse) for name in names))
        assert catalogue.datasets(folder) == [f"{folder}/b", f"{folder}/c/d"]
        assert catalogue.datasets(f"{folder}/b") == [f"{folder}/b"]
        assert catalogue.members(f"{folder}/b") == [Lfn(f"{folder}/b/1.dat"), Lfn(f"{folder}/b/2.dat")]
        with pytest.raises(NotFound):
            catalogue.members(f"{folder}/none")

    def test_attaching_needs_a_dataset_and_registered_files(
        self, catalogue: Catalogue, raw: RawCatalogue, folder: str
    ) -> None:
        file = self.file(folder, "a/1.dat", rse=raw.onsite_rse)
        with pytest.raises(NotFound):
            catalogue.attach(file.dataset, [file.lfn])
        catalogue.register([file])
        with pytest.raises(DppsError):
            catalogue.attach(file.dataset, [Lfn(f"{folder}/a/none.dat")])
