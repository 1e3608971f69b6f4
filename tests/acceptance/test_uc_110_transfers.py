"""Operators hold sites and links back; files find their way, and say why they wait."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dpps.testing.command_line import Shell
from dpps.testing.handed_files import announce, make_raw_stream

if TYPE_CHECKING:
    from tests.conftest import RunningSystem

pytestmark = pytest.mark.rucio

_PATIENCE_SECONDS = 400.0
OFF_SITE = ("CSCS", "DESY-ZEUTHEN", "FRASCATI", "PIC")


@pytest.fixture
def obs_id() -> int:
    """A number that no other file of the system has."""
    return uuid.uuid4().int % 2_000_000_000


def wait_for[T](look: Callable[[], T | None], what: str) -> T:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.5)
    pytest.fail(f"waited {_PATIENCE_SECONDS:.0f} s in vain for {what}")


def raw_name(obs_id: int) -> str:
    return (
        "ctao/acada/DL0/LSTN-01/ctao-north/event/2026/02/14/"
        f"TEL001_SDH0001_20260214T213000_OBSID{obs_id:019d}_CHUNK001.fits.fz"
    )


def hand_over(dpps: Shell, system: RunningSystem, obs_id: int) -> str:
    """Hand one file over; return its name in the archive."""
    announce(make_raw_stream(system.folder.handover / raw_name(obs_id), obs_id=obs_id))
    find = ("data", "find", f"instance__obs_id = {obs_id}")
    (file,) = wait_for(lambda: dpps(*find), "the file in the archive")
    return str(file["lfn"])


def copies_off_site(dpps: Shell, lfn: str) -> list[str]:
    replicas: list[dict[str, Any]] = dpps("data", "info", lfn)["replicas"]
    return [one["rse"] for one in replicas if one["state"] == "available" and not one["onsite"]]


def codes(explanation: dict[str, Any]) -> set[str]:
    return {one["code"] for one in explanation["findings"]}


@pytest.mark.verifies_usecase("UC-110-1.6")
def test_a_drained_site_gets_nothing_and_the_file_is_safe_elsewhere(
    dpps: Shell, running_system: RunningSystem, obs_id: int
) -> None:
    # An earlier file of the day: the catalogue has just seen that PIC may be written to.
    earlier = hand_over(dpps, running_system, obs_id + 1)
    wait_for(lambda: copies_off_site(dpps, earlier) or None, "a copy of an earlier file")
    dpps("site", "drain", "PIC", "--reason", "disks are changed")
    try:
        lfn = hand_over(dpps, running_system, obs_id)
        copies = wait_for(
            lambda: found if len(found := copies_off_site(dpps, lfn)) == 2 else None, "two copies off site"
        )
        explained = dpps("site", "why", "PIC")
    finally:
        dpps("site", "resume", "PIC")
    assert "PIC" not in copies
    assert not Path(f"{running_system.folder.storage('PIC')}{lfn}").exists()
    for rse in copies:
        assert Path(f"{running_system.folder.storage(rse)}{lfn}").exists()
    (drained,) = [one for one in explained["findings"] if one["code"] == "site-drained"]
    assert "disks are changed" in drained["cause"]
    assert "policy-met" in codes(dpps("data", "why", lfn))
    assert "site-drained" not in codes(dpps("site", "why", "PIC"))


@pytest.mark.verifies_usecase("UC-110-1.6")
def test_a_stuck_file_names_its_cause_and_a_resumed_link_carries_it_by_itself(
    dpps: Shell, running_system: RunningSystem, obs_id: int
) -> None:
    for rse in OFF_SITE:
        dpps("transfer", "pause", "--link", "CTAO-NORTH", rse, "--reason", f"fibre cut {obs_id}")
    try:
        lfn = hand_over(dpps, running_system, obs_id)

        def explanation() -> dict[str, Any] | None:
            found: dict[str, Any] = dpps("data", "why", lfn)
            return found if "link-paused" in codes(found) else None

        explained = wait_for(explanation, "the cause")
        assert copies_off_site(dpps, lfn) == []
    finally:
        for rse in OFF_SITE:
            dpps("transfer", "resume", "--link", "CTAO-NORTH", rse)
    (paused, *_) = [one for one in explained["findings"] if one["code"] == "link-paused"]
    assert explained["verdict"] == "blocks"
    assert f"fibre cut {obs_id}" in paused["cause"]
    assert "dpps transfer resume --link CTAO-NORTH" in paused["next"]

    wait_for(lambda: len(copies_off_site(dpps, lfn)) == 2, "two copies off site after the link was resumed")

    attempts = dpps("transfer", "history", "--lfn", lfn)
    assert [one["outcome"] for one in attempts] == ["FINISHED", "FINISHED"]
    assert all(one["bytes"] for one in attempts)


@pytest.mark.verifies_usecase("UC-110-1.2.1")
def test_unknown_names_and_refused_hand_overs_are_explained(
    dpps: Shell, running_system: RunningSystem, obs_id: int
) -> None:
    unknown = dpps("data", "why", "/ctao/acada/DL0/nothing.fits.fz", exit_code=3)
    assert codes(unknown) == {"file-unknown"}
    dpps("site", "why", "NOWHERE", exit_code=2)
    cut = make_raw_stream(running_system.folder.handover / raw_name(obs_id), obs_id=obs_id)
    cut.write_bytes(cut.read_bytes()[:-2000])
    announce(cut)

    handover = str(running_system.folder.handover)

    def quarantined() -> bool:
        return any(cut.name in one["path"] for one in dpps("ingest", "quarantine", "list", handover))

    wait_for(quarantined, "the quarantine")
    explained = dpps("data", "why", f"/{raw_name(obs_id)}")
    (finding,) = explained["findings"]
    assert finding["code"] == "handover-refused"
    assert cut.name in finding["fact"]
    assert finding["cause"]
    assert finding["next"]


def test_limits_and_shares_hold_at_the_transfer_service(dpps: Shell) -> None:
    dpps("transfer", "limit", "--link", "CSCS", "PIC", "--active", "2")
    dpps("transfer", "limit", "--storage", "PIC", "--inbound", "5")
    dpps("transfer", "share", "User", "2")
    try:
        found = {(one["kind"], one["of"]): one["value"] for one in dpps("transfer", "limits")}
    finally:
        dpps("transfer", "limit", "--link", "CSCS", "PIC", "--none")
        dpps("transfer", "limit", "--storage", "PIC", "--inbound", "0")
        dpps("transfer", "share", "User", "--none")
    assert found[("link", "CSCS to PIC")] == "2 files"
    assert found[("storage", "PIC")] == "inbound 5 files"
    assert found[("share", "User")] == "weight 2"
    dpps("transfer", "limit", exit_code=2)
    assert dpps("transfer", "watch", "--count", "1") is not None
