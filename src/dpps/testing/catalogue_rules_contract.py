"""What every implementation of the ``Catalogue`` port must do with rules; part of `CatalogueContract`."""
# ruff: noqa: D102 - the names of the tests say it

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from dpps.data.ports import Catalogue, ReplicationRule
from dpps.domain.errors import Conflict, NotFound
from dpps.testing.catalogue_case import CatalogueCase, RawCatalogue

__all__ = ["CatalogueRulesContract"]

_OFFSITE = "OFFSITE=True"


class CatalogueRulesContract(CatalogueCase):
    """Rules, and the copies that they hold."""

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
