from __future__ import annotations

import tracemalloc
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from dpps.adapters.memory.preservation import MemoryFindings
from dpps.data.audit.comparing import (
    DarkSettings,
    Survey,
    remove_dark,
    remove_forgotten,
    survey_storage,
)
from dpps.data.audit.records import AuditEvent, DarkFile, ListedFile
from dpps.domain.errors import InvalidInput, NotAuthorized, NotFound
from dpps.domain.names import Lfn
from dpps.domain.principals import Principal, Role
from dpps.testing.handed_files import announce, make_simtel
from tests.unit.data.audit.conftest import Audit

DAY = timedelta(days=1)
SETTINGS = DarkSettings(grace=DAY, temporary_lifetime=7 * DAY)
ARCHIVED = "memory://CTAO-NORTH/ctao/acada/DL0/day/file.fits.fz"
TEMPORARY = "memory://CTAO-NORTH/ctao/tmp/production/1/out.h5"
HALF_COPIED = "memory://CTAO-NORTH/ctao/acada/DL0/day/.dpps-0123"
STRANGE = "memory://CTAO-NORTH/no name of ours"
REFUSED = "memory://CTAO-NORTH/ctao/acada/INVALID_DL0/day/bad.fits.fz"
QUARANTINED = "memory://CTAO-NORTH/quarantine/bad.simtel"


def survey(audit: Audit) -> Survey:
    north = next(one for one in audit.archive.catalogue.storage_elements() if one.rse == "CTAO-NORTH")
    archive = audit.archive
    return survey_storage(
        archive.principal,
        archive.catalogue,
        archive.storage,
        audit.findings,
        north,
        lambda: audit.now,
        SETTINGS,
    )


@pytest.fixture
def known(audit: Audit) -> Lfn:
    announce(make_simtel(audit.archive.handover / "run10.simtel"))
    (result,) = audit.archive.ingest()
    assert result.lfn is not None
    for url in (ARCHIVED, TEMPORARY, HALF_COPIED, STRANGE, REFUSED, QUARANTINED):
        audit.archive.storage.files[url] = b"what is this"
    return result.lfn


def dark(audit: Audit) -> list[str]:
    return [one.url for one in audit.findings.dark(audit.now - SETTINGS.grace)]


def test_files_are_dark_after_the_grace_period_only(audit: Audit, known: Lfn) -> None:
    found = survey(audit)
    assert (found.files, found.unknown) == (7, 4)
    assert dark(audit) == []
    audit.now += DAY
    survey(audit)
    assert dark(audit) == sorted([ARCHIVED, TEMPORARY, HALF_COPIED, STRANGE])


def test_what_is_registered_or_gone_in_the_meantime_is_not_dark(audit: Audit, known: Lfn) -> None:
    survey(audit)
    audit.archive.storage.delete(STRANGE)
    audit.now += DAY
    survey(audit)
    assert STRANGE not in dark(audit)


def test_a_copy_at_another_storage_does_not_explain_a_file(audit: Audit, known: Lfn) -> None:
    audit.archive.replicate(known, "PIC")
    audit.archive.catalogue.remove_replica(known, "CTAO-NORTH")
    survey(audit)
    audit.now += DAY
    assert audit.archive.url("CTAO-NORTH", known) in dark(audit)


def test_temporary_files_go_when_their_time_is_over_and_no_others(audit: Audit, known: Lfn) -> None:
    survey(audit)
    archive, left = audit.archive, set(audit.archive.storage.files)
    audit.now += DAY
    removed = remove_forgotten(archive.principal, archive.catalogue, audit.control, SETTINGS)
    assert list(removed) == [HALF_COPIED]
    audit.now += 6 * DAY
    removed = remove_forgotten(archive.principal, archive.catalogue, audit.control, SETTINGS)
    assert list(removed) == [TEMPORARY]
    assert left - set(archive.storage.files) == {HALF_COPIED, TEMPORARY}
    assert audit.kinds() == ["temporary-removed"] * 2
    assert dark(audit) == sorted([ARCHIVED, STRANGE])


def test_what_is_being_written_is_left_and_goes_when_its_writer_is_gone(audit: Audit, known: Lfn) -> None:
    archive = audit.archive
    for _ in range(3):  # an upload of three days
        archive.storage.changed_at[HALF_COPIED] = audit.now - timedelta(minutes=1)
        survey(audit)
        assert HALF_COPIED not in list(
            remove_forgotten(archive.principal, archive.catalogue, audit.control, SETTINGS)
        )
        audit.now += DAY
    survey(audit)  # nobody has written for a day
    assert HALF_COPIED in archive.storage.files
    audit.now += DAY
    survey(audit)
    removed = remove_forgotten(archive.principal, archive.catalogue, audit.control, SETTINGS)
    assert list(removed) == [HALF_COPIED]
    assert HALF_COPIED not in archive.storage.files


def test_a_file_that_cannot_be_deleted_stays_known_and_hinders_no_other(
    audit: Audit, known: Lfn, monkeypatch: pytest.MonkeyPatch
) -> None:
    survey(audit)
    archive, delete = audit.archive, audit.archive.storage.delete
    audit.now += 7 * DAY

    def refuses(url: str) -> None:
        if url == HALF_COPIED:
            raise InvalidInput("it is a folder", code="storage-folder")
        delete(url)

    monkeypatch.setattr(archive.storage, "delete", refuses)
    removed = remove_forgotten(archive.principal, archive.catalogue, audit.control, SETTINGS)
    assert next(removed) == TEMPORARY
    with pytest.raises(InvalidInput, match="it is a folder"):
        next(removed)
    assert dark(audit) == sorted([ARCHIVED, HALF_COPIED, STRANGE])


def test_an_operator_removes_what_is_still_unknown(audit: Audit, known: Lfn) -> None:
    archive = audit.archive
    survey(audit)
    with pytest.raises(NotFound, match="grace period"):
        remove_dark(archive.principal, archive.catalogue, audit.control, SETTINGS, [ARCHIVED])
    audit.now += DAY
    url = archive.url("CTAO-NORTH", known)
    audit.findings.see_dark("CTAO-NORTH", {url: False}, audit.now - DAY)  # before it was registered
    named = [ARCHIVED, url]
    would = remove_dark(archive.principal, archive.catalogue, audit.control, SETTINGS, named, dry_run=True)
    assert would == [ARCHIVED]
    assert ARCHIVED in archive.storage.files
    done = remove_dark(archive.principal, archive.catalogue, audit.control, SETTINGS, named)
    assert done == [ARCHIVED]
    assert ARCHIVED not in archive.storage.files
    assert url in archive.storage.files, "what the catalogue knows is never removed"


def test_only_operators_remove_and_only_auditors_list(audit: Audit) -> None:
    archive = audit.archive
    archive.principal = Principal(name="ingest", roles=frozenset({Role.INGEST}))
    with pytest.raises(NotAuthorized):
        remove_dark(archive.principal, archive.catalogue, audit.control, SETTINGS, [])
    archive.principal = Principal(name="guest", roles=frozenset({Role.READER}))
    with pytest.raises(NotAuthorized):
        survey(audit)
    with pytest.raises(NotAuthorized):
        remove_forgotten(archive.principal, archive.catalogue, audit.control, SETTINGS)


class ManyFiles:
    """A storage with more files than memory shall hold, none of which is known."""

    def __init__(self, number: int) -> None:
        self._number = number

    def everything(self, url: str) -> Iterator[ListedFile]:
        """List them, one at a time."""
        names = (f"{url}ctao/tmp/production/{number}/out.h5" for number in range(self._number))
        return (ListedFile(url=name, changed_at=None) for name in names)


class Counting(MemoryFindings):
    """Counts what it is told, and forgets it."""

    seen = 0

    def see_dark(self, rse: str, urls: Mapping[str, bool], at: datetime) -> None:
        self.seen += len(urls)

    def dark(self, seen_before: datetime, **_: object) -> Iterator[DarkFile]:
        return (
            DarkFile(
                url=f"memory://CSCS/ctao/tmp/production/{number}/out.h5", rse="CSCS", temporary=True,
                first_seen_at=seen_before - 30 * DAY, last_seen_at=seen_before,
            )
            for number in range(self.seen)
        )  # fmt: skip

    def note(self, event: AuditEvent) -> None:
        """Forget it."""


def peak_bytes(audit: Audit, files: int) -> int:
    """Return the most memory that listing so many files and removing them takes."""
    archive, findings = audit.archive, Counting()
    cscs = next(one for one in archive.catalogue.storage_elements() if one.rse == "CSCS")
    control = replace(audit.control, findings=findings)
    tracemalloc.start()
    try:
        survey_storage(
            archive.principal,
            archive.catalogue,
            ManyFiles(files),
            findings,
            cscs,
            lambda: audit.now,
            SETTINGS,
        )
        gone = remove_forgotten(archive.principal, archive.catalogue, control, SETTINGS)
        assert sum(1 for _ in gone) == findings.seen == files
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_number_of_files(audit: Audit) -> None:
    few, many = peak_bytes(audit, 1_000), peak_bytes(audit, 8_000)
    assert many < few * 1.5
