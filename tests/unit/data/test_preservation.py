from __future__ import annotations

import pytest

from dpps.data.policy import FreeOnsite
from dpps.data.preservation import OnsiteCopy, PreservationOutcome, preservation_pass
from dpps.domain.errors import NotAuthorized
from dpps.domain.files import ReplicaState
from dpps.domain.names import Lfn
from dpps.domain.principals import Principal, Role
from dpps.testing.handed_files import announce, make_simtel
from dpps.testing.storages import storage_element
from tests.unit.data.conftest import Archive


@pytest.fixture
def lfn(archive: Archive) -> Lfn:
    announce(make_simtel(archive.handover / "run10.simtel"))
    (result,) = archive.ingest()
    assert result.lfn is not None
    return result.lfn


def preserve(archive: Archive, **options: bool) -> list[OnsiteCopy]:
    return preservation_pass(archive.principal, archive.catalogue, archive.storage, archive.policy, **options)  # type: ignore[arg-type]


def test_two_verified_copies_free_the_onsite_one(archive: Archive, lfn: Lfn) -> None:
    archive.replicate(lfn, "CSCS", "PIC")
    (copy,) = preserve(archive)
    assert copy.outcome is PreservationOutcome.FREED
    assert copy.verified_at == ("CSCS", "PIC")
    assert archive.catalogue.released == {("CTAO-NORTH", lfn)}


def test_one_copy_is_not_enough(archive: Archive, lfn: Lfn) -> None:
    archive.replicate(lfn, "CSCS")
    archive.catalogue.set_replica(lfn, "PIC", ReplicaState.COPYING)
    (copy,) = preserve(archive)
    assert copy.outcome is PreservationOutcome.KEPT
    assert copy.reason == "1 of 2 off-site copies are there; PIC copying"
    assert archive.catalogue.released == set()


@pytest.mark.parametrize("bytes_there", [b"", b"other", None])
def test_a_copy_that_reads_back_wrong_keeps_the_onsite_one(
    archive: Archive, lfn: Lfn, bytes_there: bytes | None
) -> None:
    archive.replicate(lfn, "CSCS", "PIC")
    if bytes_there is None:
        archive.storage.delete(archive.url("PIC", lfn))
    else:
        archive.storage.files[archive.url("PIC", lfn)] = bytes_there
    (copy,) = preserve(archive)
    assert copy.outcome is PreservationOutcome.KEPT
    assert "PIC" in copy.reason
    assert archive.catalogue.released == set()


def test_a_dry_run_verifies_and_frees_nothing(archive: Archive, lfn: Lfn) -> None:
    archive.replicate(lfn, "CSCS", "PIC")
    (copy,) = preserve(archive, dry_run=True)
    assert copy.outcome is PreservationOutcome.WOULD_FREE
    assert archive.catalogue.released == set()


def test_what_this_process_freed_is_not_read_again(archive: Archive, lfn: Lfn) -> None:
    archive.replicate(lfn, "CSCS", "PIC")
    done: set[tuple[str, Lfn]] = set()
    for expected in (1, 0):
        copies = preservation_pass(
            archive.principal, archive.catalogue, archive.storage, archive.policy, done=done
        )
        assert len(copies) == expected


def test_repeating_is_no_error_and_a_file_without_onsite_copy_is_no_subject(
    archive: Archive, lfn: Lfn
) -> None:
    archive.replicate(lfn, "CSCS", "PIC")
    assert [copy.outcome for copy in preserve(archive) + preserve(archive)] == [PreservationOutcome.FREED] * 2
    archive.catalogue.remove_replica(lfn, "CTAO-NORTH")
    assert preserve(archive) == []


def test_the_policy_may_keep_onsite_copies(archive: Archive, lfn: Lfn) -> None:
    archive.replicate(lfn, "CSCS", "PIC")
    never = FreeOnsite(when_verified=False)
    kinds = [kind.model_copy(update={"free_onsite": never}) for kind in archive.policy.kinds]
    archive.policy = archive.policy.model_copy(update={"kinds": tuple(kinds)})
    (copy,) = preserve(archive)
    assert copy.outcome is PreservationOutcome.KEPT
    assert "policy" in copy.reason


def test_copies_at_one_site_count_once(archive: Archive, lfn: Lfn) -> None:
    archive.replicate(lfn, "PIC")
    archive.catalogue.add_storage(storage_element("PIC-TAPE", "memory://PIC-TAPE", site="PIC"))
    archive.replicate(lfn, "PIC-TAPE")
    (copy,) = preserve(archive)
    assert copy.outcome is PreservationOutcome.KEPT
    assert "1 of 2" in copy.reason
    assert archive.catalogue.released == set()


def test_a_bad_copy_does_not_count(archive: Archive, lfn: Lfn) -> None:
    archive.replicate(lfn, "CSCS", "PIC")
    archive.catalogue.set_replica(lfn, "PIC", ReplicaState.BAD)
    (copy,) = preserve(archive)
    assert copy.reason == "1 of 2 off-site copies are there; PIC bad"
    assert archive.catalogue.released == set()


def test_copies_that_no_rule_keeps_are_no_proof(archive: Archive, lfn: Lfn) -> None:
    archive.replicate(lfn, "CSCS", "PIC")
    for rule in archive.catalogue.rules(lfn.parent):
        archive.catalogue.remove_rule(rule.rule_id)
    (copy,) = preserve(archive, dry_run=True)
    assert "no replication rule" in copy.reason
    assert archive.catalogue.rules(lfn.parent) == []
    assert [one.outcome for one in preserve(archive) + preserve(archive)] == [
        PreservationOutcome.KEPT,
        PreservationOutcome.FREED,
    ], "the rule is made, and the next pass frees"


def test_a_locked_copy_does_not_keep_the_others(archive: Archive, lfn: Lfn) -> None:
    announce(make_simtel(archive.handover / "run11.simtel", run=11))
    (other,) = archive.ingest()
    assert other.lfn is not None
    for one in (lfn, other.lfn):
        archive.replicate(one, "CSCS", "PIC")
    archive.catalogue.locked.add(("CTAO-NORTH", lfn))
    outcomes = {copy.lfn: copy for copy in preserve(archive)}
    assert outcomes[lfn].outcome is PreservationOutcome.KEPT
    assert "rule" in outcomes[lfn].reason
    assert outcomes[other.lfn].outcome is PreservationOutcome.FREED
    assert archive.catalogue.released == {("CTAO-NORTH", other.lfn)}


def test_readers_may_not_free(archive: Archive) -> None:
    archive.principal = Principal(name="guest", roles=frozenset({Role.READER}))
    with pytest.raises(NotAuthorized):
        preserve(archive)
