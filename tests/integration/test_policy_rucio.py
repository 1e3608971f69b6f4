"""What the policy says of storages and rules, compared with what Rucio makes of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from dpps.composition.preservation import build_preservation
from dpps.composition.rucio_accounts import connect_account
from dpps.data.audit.records import CopyKey
from dpps.data.policy.expressions import parse_expression
from dpps.domain.errors import DppsError
from dpps.domain.names import Lfn

if TYPE_CHECKING:
    from tests.conftest import RunningSystem

pytestmark = pytest.mark.rucio


def test_expressions_choose_the_storages_that_rucio_chooses(running_system: RunningSystem) -> None:
    client = connect_account(running_system.folder, "reader")
    parts = build_preservation(running_system.folder)
    elements = parts.connect().catalogue.storage_elements()
    for expression in (
        "*",
        "PIC",
        "OFFSITE=True",
        "OFFSITE=True&country=ES",
        "country=ES\\OFFSITE=True",
        "CSCS|PIC\\CSCS",
        "CSCS|(PIC\\CSCS)",
        "latitude>45&OFFSITE=True",
    ):
        test = parse_expression(expression)
        ours = [element.rse for element in elements if test(element)]
        assert ours == sorted(one["rse"] for one in client.list_rses(expression)), expression
    parts.close()


def test_the_preservation_account_hears_of_changes_and_may_declare_damage(
    running_system: RunningSystem,
) -> None:
    parts = build_preservation(running_system.folder, service=True)
    archive = parts.connect()
    assert list(archive.changes.datasets_changed_since(datetime.now(UTC) + timedelta(days=1))) == []
    nobody = CopyKey(Lfn("/ctao/acada/DL0/none/none.fits.fz"), "PIC")
    with pytest.raises(DppsError) as refused:
        archive.control.bad_copies.declare_bad([nobody], "a test")
    assert "none.fits.fz" in refused.value.message or refused.value.code == "catalogue-not-found"
    parts.close()
