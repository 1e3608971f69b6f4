"""What the audit found wrong is said, also where the catalogue calls the copies complete."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest

from dpps.adapters.memory.copy_states import MemoryCopyStates
from dpps.adapters.memory.sites import MemoryHoldStore
from dpps.data.policy.explanation import FileExplanation
from dpps.data.policy.explanation import explain_file as explain_policy
from dpps.data.why.findings import Explanation, Finding, Weight
from dpps.data.why.observing import WhyParts, why
from dpps.domain.names import Lfn
from dpps.testing.handed_files import announce, make_simtel
from tests.unit.data.audit.conftest import Audit
from tests.unit.data.conftest import Archive, archive
from tests.unit.data.why.test_why_absent import NothingRefused

__all__ = ["archive"]

FLIPPED = b"not these bytes"


@pytest.fixture
def audit(archive: Archive) -> Audit:
    return Audit(archive)


@pytest.fixture
def lfn(audit: Audit) -> Lfn:
    """Return a file with its two copies off site and none on site."""
    announce(make_simtel(audit.archive.handover / "run10.simtel"))
    (result,) = audit.archive.ingest()
    assert result.lfn is not None
    audit.archive.replicate(result.lfn, "CSCS", "PIC")
    audit.archive.catalogue.remove_replica(result.lfn, "CTAO-NORTH")
    audit.archive.fulfil_rules()
    audit.evidence.take_stock(result.lfn.parent, [])
    return result.lfn


def explained(audit: Audit, name: str) -> Explanation:
    archive = audit.archive
    parts = WhyParts(
        catalogue=archive.catalogue,
        copies=MemoryCopyStates(archive.catalogue),
        requests=cast("Any", None),  # no copy is missing
        sites=cast(
            "Any",
            SimpleNamespace(holds=MemoryHoldStore(), transfers=SimpleNamespace(own_rests=list, bans=list)),
        ),
        handover=NothingRefused(),
        policy=archive.policy,
        evidence=audit.evidence,
        findings=audit.findings,
        gate=cast("Any", None),  # no copy is on site
        clock=lambda: audit.now,
    )
    return why(archive.principal, parts, name)


def by_code(explanation: Explanation) -> Mapping[str, Finding]:
    return {one.code: one for one in explanation.findings}


def policy_explained(audit: Audit, lfn: Lfn) -> FileExplanation:
    catalogue = audit.archive.catalogue
    (file,) = catalogue.files([lfn])
    assert file is not None
    rules, elements = catalogue.rules(lfn.parent), catalogue.storage_elements()
    return explain_policy(audit.archive.policy, file, rules, elements, audit.evidence)


def damage(audit: Audit, lfn: Lfn, *rses: str) -> None:
    for rse in rses:
        audit.put(rse, lfn, FLIPPED)
    audit.evidence.record(
        [audit.control.reader.read(file, copy, {}) for file in audit.archive.catalogue.files([lfn]) if file
         for copy in file.replicas]
    )  # fmt: skip


def test_a_file_of_which_no_good_copy_is_left_is_not_called_good(audit: Audit, lfn: Lfn) -> None:
    assert explained(audit, lfn.name).verdict is Weight.NOTE
    damage(audit, lfn, "CSCS", "PIC")
    audit.read()
    assert len(audit.findings.alarms()) == 1
    found = explained(audit, lfn.name)
    assert found.verdict is Weight.BLOCKS
    codes = by_code(found)
    assert {"copies-none", "policy-not-met", "alarm", "copy-damaged-last"} <= codes.keys()
    assert codes["rule-ok"].weight is Weight.NOTE
    assert "dpps data audit alarms" in codes["alarm"].next
    policy = policy_explained(audit, lfn)
    assert policy.missing_copies == 2
    assert "dpps data audit alarms" in policy.next


def test_a_dataset_with_a_file_without_good_copy_is_not_called_good(audit: Audit, lfn: Lfn) -> None:
    assert explained(audit, lfn.parent).verdict is Weight.GOOD
    damage(audit, lfn, "CSCS", "PIC")
    audit.read()
    found = explained(audit, lfn.parent)
    assert found.verdict is Weight.BLOCKS
    codes = by_code(found)
    assert lfn.name in codes["alarm"].fact
    assert codes["copies-wrong"].next.endswith(lfn.name)


def test_a_damaged_copy_does_not_count_before_the_catalogue_is_told(audit: Audit, lfn: Lfn) -> None:
    damage(audit, lfn, "PIC")
    found = explained(audit, lfn.name)
    codes = by_code(found)
    assert found.verdict is Weight.WAITS
    assert codes["copies-there"].fact == "good copies at: CSCS"
    assert codes["copy-damaged"].fact.startswith("the copy at PIC was damaged when it was last read back")
    assert codes["policy-not-met"].fact.startswith("1 of the 2 copies")
    policy = policy_explained(audit, lfn)
    assert (policy.missing_copies, [one.rse for one in policy.wrong]) == (1, ["PIC"])
    assert "the copy at PIC was damaged" in policy.next
