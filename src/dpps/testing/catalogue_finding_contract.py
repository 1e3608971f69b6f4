"""What every implementation of the ``Catalogue`` port must find; part of `CatalogueContract`."""
# ruff: noqa: D102 - the names of the tests say it

from __future__ import annotations

from dataclasses import replace

import pytest

from dpps.data.ports import Catalogue
from dpps.data.query import EVERYTHING, Place, parse_place, parse_query
from dpps.domain.files import MetadataValue
from dpps.domain.names import Lfn
from dpps.testing.catalogue_case import CatalogueCase, RawCatalogue

__all__ = ["CatalogueFindingContract"]


class CatalogueFindingContract(CatalogueCase):
    """Queries, places and pages."""

    @pytest.mark.parametrize(
        ("expression", "names"),
        [
            ("", ["a/1.dat", "a/2.dat", "b/3.dat"]),
            ("data__level = 'DL0'", ["a/1.dat", "a/2.dat"]),
            ("data__level != 'DL0'", ["b/3.dat"]),
            ("data__level like 'DL%'", ["a/1.dat", "a/2.dat", "b/3.dat"]),
            ("data__level like '%1'", ["b/3.dat"]),
            ("data__level like 'D_0'", []),
            ("not data__level like '%1'", ["a/1.dat", "a/2.dat"]),
            ("data__level = 'DL1' or instance__obs_id = 2000000456", ["a/1.dat", "b/3.dat"]),
            ("instance__obs_id in (2000000456, 7) or instance__obs_id > 2000000456", ["a/1.dat", "a/2.dat"]),
            ("not (instance__obs_id in (2000000456) or data__level = 'DL1')", ["a/2.dat"]),
            ("instance__obs_id between 1 and 2000000456", ["a/1.dat"]),
            ("instance__obs_id not between 1 and 2000000456", ["a/2.dat"]),
            ("instance__obs_id is missing", ["b/3.dat"]),
            ("start_time is present and not (data__level = 'DL0' and dpps__toy = true)", ["a/1.dat"]),
            ("tel_ids contains 1", ["a/1.dat"]),
            ("tel_ids not contains 4", ["b/3.dat"]),
            ("tel_ids in (14, 1) and tel_ids != 4", ["b/3.dat"]),
            ("instance__obs_id = 2000000456", ["a/1.dat"]),
            ("instance__obs_id >= 2000000456 and instance__obs_id < 2000000457", ["a/1.dat"]),
            ("instance__obs_id > 1 and instance__obs_id > 2000000456", ["a/2.dat"]),
            ("obs_id = 9007199254740993", ["a/1.dat"]),
            ("simulation__node__zenith <= 20.5", ["a/1.dat"]),
            ("dpps__toy = false", ["a/1.dat"]),
            ("dpps__toy = true", ["a/2.dat"]),
            ("dpps__production = '12'", ["a/1.dat"]),
            ("dpps__production = 'true'", ["a/2.dat"]),
            ("dpps__production = 'a*b'", ["b/3.dat"]),
            ("dpps__production = 'a*'", []),
            ("dpps__production != '12'", ["a/2.dat", "b/3.dat"]),
            ("start_time < '2026-02-15'", ["a/1.dat"]),
            ("start_time >= '2026-02-14T21:30:00' and start_time <= '2026-02-16'", ["a/1.dat", "a/2.dat"]),
            ("instance__observing_night = '2026-02-15'", ["a/2.dat"]),
            ("instance__observing_night > '2026-02-13' and obs_id > 0", ["a/1.dat", "a/2.dat"]),
            ("instance__observing_night < '2026-02-15'", ["a/1.dat"]),
            ("tel_ids = 4", ["a/1.dat", "a/2.dat"]),
            ("dpps__task = 'nobody has this key'", []),
            ("dpps__task != 'nobody has this key'", []),
        ],
    )
    def test_finding_by_metadata(
        self, catalogue: Catalogue, raw: RawCatalogue, folder: str, expression: str, names: list[str]
    ) -> None:
        told: dict[str, dict[str, MetadataValue]] = {
            "a/1.dat": {
                "data__level": "DL0",
                "instance__obs_id": 2000000456,
                "obs_id": 2**53 + 1,
                "simulation__node__zenith": 20.5,
                "dpps__toy": False,
                "dpps__production": "12",
                "start_time": "2026-02-14T21:30:00.000000000",
                "instance__observing_night": "2026-02-14",
                "tel_ids": [1, 4],
            },
            "a/2.dat": {
                "data__level": "DL0",
                "instance__obs_id": 2000000457,
                "obs_id": 2**53,
                "simulation__node__zenith": 40.0,
                "dpps__toy": True,
                "dpps__production": "true",
                "start_time": "2026-02-15T21:30:00.000000000",
                "instance__observing_night": "2026-02-15",
                "tel_ids": [4],
            },
            "b/3.dat": {"data__level": "DL1", "dpps__production": "a*b", "tel_ids": [14]},
        }
        files = [self.file(folder, name, rse=raw.onsite_rse, metadata=one) for name, one in told.items()]
        self.enter(catalogue, *files)
        found = catalogue.find(parse_query(expression), place=Place(folder))
        assert [lfn.name.removeprefix(f"{folder}/") for lfn in found] == names

    def test_finding_stays_below_the_path_and_within_the_limit(
        self, catalogue: Catalogue, raw: RawCatalogue, folder: str
    ) -> None:
        names = ["a/1.dat", "a/2.dat", "ab/1.dat", "b/c/1.dat"]
        self.enter(catalogue, *(self.file(folder, name, rse=raw.onsite_rse) for name in names))
        assert [one.name for one in catalogue.find(EVERYTHING, place=Place(f"{folder}/a"))] == [
            f"{folder}/a/1.dat",
            f"{folder}/a/2.dat",
        ]
        assert [one.name for one in catalogue.find(EVERYTHING, place=Place(folder), limit=3)] == [
            f"{folder}/{name}" for name in names[:3]
        ]
        assert Lfn(f"{folder}/b/c/1.dat") in catalogue.find(EVERYTHING)

    def test_a_file_is_seen_in_a_dataset_that_is_not_its_folder(
        self, catalogue: Catalogue, raw: RawCatalogue, folder: str
    ) -> None:
        inside = self.file(folder, "a/1.dat", rse=raw.onsite_rse)
        other = replace(self.file(folder, "a/2.dat", rse=raw.onsite_rse), dataset=f"{folder}/collected")
        self.enter(catalogue, inside, other)
        assert [one and one.dataset for one in catalogue.files([inside.lfn, other.lfn])] == [
            inside.dataset,
            other.dataset,
        ]
        assert catalogue.find(EVERYTHING, place=Place(f"{folder}/a")) == [inside.lfn, other.lfn]

    def test_pages_follow_each_other(self, catalogue: Catalogue, raw: RawCatalogue, folder: str) -> None:
        names = ["a-b/1.dat", "a/1.dat", "a/2.dat", "a0/1.dat", "b/1.dat"]
        self.enter(catalogue, *(self.file(folder, name, rse=raw.onsite_rse) for name in names))
        query, place = parse_query("dpps__schema = 1"), Place(folder)
        found = catalogue.find(query, place=place, limit=2)
        while page := catalogue.find(query, place=place, after=found[-1], limit=2):
            found += page
        assert [lfn.name.removeprefix(f"{folder}/") for lfn in found] == names

    @pytest.mark.parametrize(
        ("pattern", "names"),
        [
            ("**", ["a/TEL001_x.dat", "a/true_y.dat", "b/c/TEL001_z.dat"]),
            ("**/TEL001*", ["a/TEL001_x.dat", "b/c/TEL001_z.dat"]),
            ("*/TEL001*", ["a/TEL001_x.dat"]),
            ("a/TEL00?_[xy].dat", ["a/TEL001_x.dat"]),
            ("a/TEL001_[!x].dat", []),
            ("*/true*", ["a/true_y.dat"]),
            ("a/true_y.dat", ["a/true_y.dat"]),
            ("b/c", ["b/c/TEL001_z.dat"]),
        ],
    )
    def test_finding_by_patterns_of_names(
        self, catalogue: Catalogue, raw: RawCatalogue, folder: str, pattern: str, names: list[str]
    ) -> None:
        every = ["a/TEL001_x.dat", "a/true_y.dat", "b/c/TEL001_z.dat"]
        self.enter(catalogue, *(self.file(folder, name, rse=raw.onsite_rse) for name in every))
        found = catalogue.find(EVERYTHING, place=parse_place(f"{folder}/{pattern}"))
        assert [lfn.name.removeprefix(f"{folder}/") for lfn in found] == names

    def test_files_of_other_clients_are_found_without_our_metadata(
        self, catalogue: Catalogue, raw: RawCatalogue, folder: str
    ) -> None:
        ours = self.file(folder, "a/1.dat", rse=raw.onsite_rse)
        theirs = replace(self.file(folder, "b/2.dat", rse=raw.onsite_rse), metadata={"obs_id": 5})
        bare = replace(self.file(folder, "c/3.dat", rse=raw.onsite_rse), metadata={})
        self.enter(catalogue, ours)
        catalogue.register([theirs, bare])
        assert catalogue.find(EVERYTHING, place=Place(folder)) == [ours.lfn, theirs.lfn, bare.lfn]
        assert catalogue.find(parse_query("obs_id = 5"), place=Place(folder)) == [theirs.lfn]
        assert catalogue.find(parse_query("obs_id is missing"), place=Place(f"{folder}/c")) == [bare.lfn]
