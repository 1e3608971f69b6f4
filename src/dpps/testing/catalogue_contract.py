"""What every implementation of the ``Catalogue`` port must do.

Subclass `CatalogueContract` in ``tests/contract``; give the fixtures ``catalogue``, ``raw`` and ``folder``.
The suite looks at what is stored through ``raw`` only: no adapter is checked with its own read.
"""
# ruff: noqa: D102 - the names of the tests say it

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

import pytest

from dpps.data.ports import Catalogue, Registration, ReplicationRule
from dpps.data.query import EVERYTHING, Place, parse_place, parse_query
from dpps.domain.errors import Conflict, DppsError, InvalidInput, NotFound
from dpps.domain.files import FileContent, MetadataValue, ReplicaState
from dpps.domain.names import Lfn

__all__ = ["CatalogueContract", "RawCatalogue"]

_OFFSITE = "OFFSITE=True"


class RawCatalogue(Protocol):
    """Direct access to what a catalogue keeps, without the code under test."""

    onsite_rse: str
    offsite_rse: str

    def content(self, lfn: Lfn) -> FileContent | None:
        """Return size and checksum as stored."""
        ...

    def metadata(self, lfn: Lfn) -> Mapping[str, MetadataValue]:
        """Return the metadata as stored."""
        ...

    def copies(self, lfn: Lfn) -> set[str]:
        """Return the RSEs at which copies are registered as available."""
        ...

    def members(self, dataset: str) -> set[str]:
        """Return the names attached to a dataset or container."""
        ...

    def rules(self, dataset: str) -> list[tuple[int, str]]:
        """Return copies and expression of each rule."""
        ...

    def deletable(self, rse: str, lfn: Lfn) -> bool:
        """Tell whether the copy may be deleted now."""
        ...

    def add_copy(self, lfn: Lfn, rse: str) -> None:
        """Register an available copy, as a finished transfer would."""
        ...


class CatalogueContract:
    """The suite. ``folder`` is a path ``/<vo>/<scope>/<unique>`` in which nothing else is."""

    @staticmethod
    def file(
        folder: str,
        name: str,
        *,
        rse: str,
        adler32: str = "0a0b0c0d",
        metadata: Mapping[str, MetadataValue] | None = None,
    ) -> Registration:
        lfn = Lfn(f"{folder}/{name}")
        return Registration(
            lfn=lfn,
            rse=rse,
            content=FileContent(size_bytes=1234, adler32=adler32),
            metadata={"dpps__schema": 1, **(metadata or {})},
            dataset=lfn.parent,
        )

    def enter(self, catalogue: Catalogue, *files: Registration) -> None:
        assert [outcome.error for outcome in catalogue.register(files)] == [None] * len(files)
        for file in files:
            catalogue.attach(file.dataset, [file.lfn])

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

    def test_datasets_and_members(self, catalogue: Catalogue, raw: RawCatalogue, folder: str) -> None:
        names = ["b/2.dat", "b/1.dat", "c/d/3.dat"]
        self.enter(catalogue, *(self.file(folder, name, rse=raw.onsite_rse) for name in names))
        assert catalogue.datasets(folder) == [f"{folder}/b", f"{folder}/c/d"]
        assert catalogue.datasets(f"{folder}/b") == [f"{folder}/b"]
        assert catalogue.members(f"{folder}/b") == [Lfn(f"{folder}/b/1.dat"), Lfn(f"{folder}/b/2.dat")]
        with pytest.raises(NotFound):
            catalogue.members(f"{folder}/none")

    def test_equal_rules_are_made_once(self, catalogue: Catalogue, raw: RawCatalogue, folder: str) -> None:
        file = self.file(folder, "a/1.dat", rse=raw.onsite_rse)
        self.enter(catalogue, file)
        rule = ReplicationRule(dataset=file.dataset, copies=2, expression=_OFFSITE)
        made = catalogue.ensure_rule(rule)
        assert made
        assert catalogue.ensure_rule(rule) == made
        other = catalogue.ensure_rule(replace(rule, copies=1))
        assert other != made
        assert sorted(raw.rules(file.dataset)) == [(1, _OFFSITE), (2, _OFFSITE)]
        listed = {one.rule_id: one for one in catalogue.rules(file.dataset)}
        assert listed[made].copies == 2
        assert listed[made].expression == _OFFSITE
        assert listed[made].state is not None

    def test_rules_of_the_policy_carry_its_mark_and_are_told_from_rules_of_people(
        self, catalogue: Catalogue, raw: RawCatalogue, folder: str
    ) -> None:
        file = self.file(folder, "a/1.dat", rse=raw.onsite_rse)
        self.enter(catalogue, file)
        rule = ReplicationRule(
            dataset=file.dataset,
            copies=1,
            expression=_OFFSITE,
            source_expression="ONSITE=True",
            priority=5,
            kind="raw",
            policy_digest="0123456789abcdef",
        )
        made = catalogue.ensure_rule(rule)
        assert catalogue.ensure_rule(rule) == made
        (listed,) = catalogue.rules(file.dataset)
        assert replace(listed, rule_id="", state=None, error=None) == rule

    def test_the_end_of_a_policys_rule_is_put_off_and_never_comes_earlier(
        self, catalogue: Catalogue, raw: RawCatalogue, folder: str
    ) -> None:
        file = self.file(folder, "a/1.dat", rse=raw.onsite_rse)
        self.enter(catalogue, file)
        day = 86400
        rule = ReplicationRule(
            dataset=file.dataset, copies=1, expression=_OFFSITE, kind="raw", lifetime_seconds=2 * day
        )

        def end() -> datetime | None:
            (listed,) = catalogue.rules(file.dataset)
            return listed.expires_at

        made = catalogue.ensure_rule(rule)
        first = end()
        assert first is not None
        catalogue.ensure_rule(replace(rule, lifetime_seconds=day, expires_at=first - timedelta(days=1)))
        assert end() == first
        later = replace(rule, lifetime_seconds=3 * day, expires_at=first + timedelta(days=1))
        assert catalogue.ensure_rule(later) == made
        assert (end() or first) - first > timedelta(hours=23)
        assert catalogue.ensure_rule(replace(rule, lifetime_seconds=None)) == made
        assert end() is None

    def test_a_rule_that_was_made_without_mark_is_adopted(
        self, catalogue: Catalogue, raw: RawCatalogue, folder: str
    ) -> None:
        file = self.file(folder, "a/1.dat", rse=raw.onsite_rse)
        self.enter(catalogue, file)
        plain = ReplicationRule(dataset=file.dataset, copies=2, expression=_OFFSITE)
        catalogue.ensure_rule(plain)
        catalogue.ensure_rule(replace(plain, kind="raw", policy_digest="0123456789abcdef"))
        assert "raw" in {one.kind for one in catalogue.rules(file.dataset)}

    def test_a_removed_rule_is_over_at_once(
        self, catalogue: Catalogue, raw: RawCatalogue, folder: str
    ) -> None:
        file = self.file(folder, "a/1.dat", rse=raw.offsite_rse)
        self.enter(catalogue, file)
        here = f"rse={raw.offsite_rse}"
        made = catalogue.ensure_rule(ReplicationRule(dataset=file.dataset, copies=1, expression=here))
        other = catalogue.ensure_rule(ReplicationRule(dataset=file.dataset, copies=1, expression=_OFFSITE))
        catalogue.remove_rule(made)
        catalogue.remove_rule(made)
        catalogue.remove_rule("0" * 32)
        assert [one.rule_id for one in catalogue.rules(file.dataset)] == [other]

    def test_kept_copies_are_those_that_the_rules_named_hold(
        self, catalogue: Catalogue, raw: RawCatalogue, folder: str
    ) -> None:
        file = self.file(folder, "a/1.dat", rse=raw.onsite_rse)
        self.enter(catalogue, file)
        raw.add_copy(file.lfn, raw.offsite_rse)
        here = f"rse={raw.offsite_rse}"
        made = catalogue.ensure_rule(ReplicationRule(dataset=file.dataset, copies=1, expression=here))
        assert catalogue.kept_copies([made]) == {file.lfn: {raw.offsite_rse}}
        assert catalogue.kept_copies([]) == {}

    def test_rules_need_a_dataset(self, catalogue: Catalogue, folder: str) -> None:
        with pytest.raises(NotFound):
            catalogue.rules(f"{folder}/none")
        with pytest.raises(NotFound):
            catalogue.ensure_rule(ReplicationRule(dataset=f"{folder}/none", copies=1, expression=_OFFSITE))

    def test_attaching_needs_a_dataset_and_registered_files(
        self, catalogue: Catalogue, raw: RawCatalogue, folder: str
    ) -> None:
        file = self.file(folder, "a/1.dat", rse=raw.onsite_rse)
        with pytest.raises(NotFound):
            catalogue.attach(file.dataset, [file.lfn])
        catalogue.register([file])
        with pytest.raises(DppsError):
            catalogue.attach(file.dataset, [Lfn(f"{folder}/a/none.dat")])

    def test_a_copy_becomes_deletable_only_when_released(
        self, catalogue: Catalogue, raw: RawCatalogue, folder: str
    ) -> None:
        first = self.file(folder, "a/1.dat", rse=raw.onsite_rse)
        second = self.file(folder, "a/2.dat", rse=raw.onsite_rse)
        self.enter(catalogue, first, second)
        assert not raw.deletable(raw.onsite_rse, first.lfn)
        catalogue.release(raw.onsite_rse, [first.lfn])
        catalogue.release(raw.onsite_rse, [first.lfn])
        assert raw.deletable(raw.onsite_rse, first.lfn)
        assert not raw.deletable(raw.onsite_rse, second.lfn)

    def test_releasing_a_copy_that_is_not_there_is_an_error(
        self, catalogue: Catalogue, raw: RawCatalogue, folder: str
    ) -> None:
        file = self.file(folder, "a/1.dat", rse=raw.onsite_rse)
        self.enter(catalogue, file)
        with pytest.raises(NotFound):
            catalogue.release(raw.offsite_rse, [file.lfn])

    def test_a_copy_that_a_rule_wants_is_not_released(
        self, catalogue: Catalogue, raw: RawCatalogue, folder: str
    ) -> None:
        file = self.file(folder, "a/1.dat", rse=raw.offsite_rse)
        self.enter(catalogue, file)
        catalogue.ensure_rule(
            ReplicationRule(dataset=file.dataset, copies=1, expression=f"rse={raw.offsite_rse}")
        )
        with pytest.raises(Conflict):
            catalogue.release(raw.offsite_rse, [file.lfn])
        assert not raw.deletable(raw.offsite_rse, file.lfn)
