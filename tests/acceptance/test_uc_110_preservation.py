"""Preservation, seen from outside: what becomes of files on the storages, whatever the catalogue says."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from dpps.data.policy.reading import packaged_policy_text
from dpps.domain.sites import DEFAULT_SITES, great_circle_km
from dpps.testing.command_line import Shell
from dpps.testing.handed_files import announce, make_raw_stream

if TYPE_CHECKING:
    from tests.conftest import RunningSystem

pytestmark = pytest.mark.rucio

_PATIENCE_SECONDS = 400.0
_PLACES = {site.name: (site.latitude_deg, site.longitude_deg) for site in DEFAULT_SITES}
_OFFSITE = {site.name for site in DEFAULT_SITES if not site.onsite}


def wait_for[T](look: Callable[[], T | None], what: str) -> T:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.5)
    pytest.fail(f"waited {_PATIENCE_SECONDS:.0f} s in vain for {what}")


@dataclass(frozen=True, slots=True)
class Kept:
    """A raw file alone in its dataset, and what its bytes were when the telescopes wrote it."""

    lfn: str
    obs_id: int
    written: bytes
    storages: Path

    def at(self, rse: str) -> Path:
        """Return where the bytes are at a storage."""
        return self.storages / rse / self.lfn[1:]

    def places(self) -> set[str]:
        """Return the storages that hold the right bytes, by raw means."""
        return {rse for rse in _PLACES if self.at(rse).exists() and self.at(rse).read_bytes() == self.written}

    def flip(self, rse: str) -> None:
        """Damage the bytes at one storage, in place."""
        with self.at(rse).open("r+b") as stream:
            stream.seek(len(self.written) // 2)
            stream.write(bytes([self.written[len(self.written) // 2] ^ 1]))


def write_raw(running_system: RunningSystem) -> tuple[Path, Kept]:
    obs_id = uuid.uuid4().int % 2_000_000_000
    storages = running_system.folder.storage("CTAO-NORTH").parent
    # A night that no other file has: the dataset is this file's alone.
    night = f"{2030 + obs_id % 60}/{obs_id % 12 + 1:02d}/{obs_id % 28 + 1:02d}"
    name = (
        f"ctao/acada/DL0/LSTN-{obs_id % 97:02d}/ctao-north/event/{night}/"
        f"TEL001_SDH0001_20260214T213000_OBSID{obs_id:019d}_CHUNK001.fits.fz"
    )
    path = make_raw_stream(storages / "CTAO-NORTH" / name, obs_id=obs_id)
    return path, Kept(f"/{name}", obs_id, path.read_bytes(), storages)


def keep(dpps: Shell, running_system: RunningSystem, number: int) -> list[Kept]:
    """Let files go their way until they are preserved."""
    written = [write_raw(running_system) for _ in range(number)]
    for path, _ in written:
        announce(path)
    dpps("ingest", str(running_system.folder.storage("CTAO-NORTH")))

    def preserved() -> bool:
        return all(len(kept.places()) == 2 and not path.exists() for path, kept in written)

    wait_for(preserved, "two copies elsewhere and none on site")
    return [kept for _, kept in written]


@pytest.fixture(scope="module")
def preserved() -> list[Kept]:
    """Files that no test has taken yet."""
    return []


@pytest.fixture
def kept(dpps: Shell, running_system: RunningSystem, preserved: list[Kept]) -> Kept:
    """A preserved file of the test's own; those of all tests go their way at the same time."""
    if not preserved:
        preserved += keep(dpps, running_system, 3)
    return preserved.pop()


@pytest.mark.verifies_usecase("UC-110-1.6")
def test_raw_data_cross_the_onsite_link_once_to_distant_centres(
    dpps: Shell, running_system: RunningSystem, kept: Kept
) -> None:
    one, other = kept.places()
    assert {one, other} <= _OFFSITE
    assert great_circle_km(_PLACES[one], _PLACES[other]) >= 300
    database = running_system.instance.database(running_system.folder, "dpps").replace("+psycopg", "")
    with psycopg.connect(database) as connection:
        moved = connection.execute(
            "SELECT sources[source_position + 1] FROM transfers.file"
            " WHERE destination LIKE '%%' || %s AND state = 'FINISHED'",
            [kept.lfn],
        ).fetchall()
    assert sorted("/CTAO-NORTH/" in source for (source,) in moved) == [False, True]
    (found,) = dpps("data", "policy", "explain", kept.lfn)
    assert (found["kind"], found["missing_copies"]) == ("raw", 0)
    assert {copy["rse"] for copy in found["copies"]} == {one, other}


@pytest.mark.verifies_usecase("UC-110-1.6")
def test_damage_at_rest_is_repaired_and_the_last_copies_raise_an_alarm(dpps: Shell, kept: Kept) -> None:
    bad, good = sorted(kept.places())
    kept.flip(bad)
    found = dpps("data", "audit", "--rse", bad, "--all", exit_code=6)
    assert [(one["lfn"], one["outcome"]) for one in found["wrong"]] == [(kept.lfn, "damaged")]
    wait_for(lambda: kept.places() == {bad, good}, "the damaged copy to be replaced")

    def repaired() -> bool:
        states = {one["rse"]: one["state"] for one in dpps("data", "info", kept.lfn)["replicas"]}
        return states == {bad: "available", good: "available"}

    wait_for(repaired, "the catalogue to know of it")
    assert dpps("data", "audit", "--rse", bad, "--all")["wrong"] == []
    kinds = [one["kind"] for one in dpps("data", "audit", "events") if one["name"] == kept.lfn]
    assert {"damaged", "declared-bad"} <= set(kinds)

    for rse in (bad, good):
        kept.flip(rse)
    dpps("data", "audit", "--rse", bad, "--all", exit_code=6)
    dpps("data", "audit", "--rse", good, "--all", exit_code=6)
    (alarm,) = [one for one in dpps("data", "audit", "alarms") if one["lfn"] == kept.lfn]
    dpps("data", "audit", "ack", str(alarm["number"]), "--reason", "the site looks for it")
    (alarm,) = [one for one in dpps("data", "audit", "alarms") if one["lfn"] == kept.lfn]
    assert alarm["acknowledgement"] == "the site looks for it"
    assert repaired(), "the last copies stay known, and their bytes stay"
    assert kept.at(bad).exists()
    assert kept.at(good).exists()

    kept.at(good).write_bytes(kept.written)
    dpps("data", "audit", "--rse", good, "--all")
    assert [one for one in dpps("data", "audit", "alarms") if one["lfn"] == kept.lfn] == []
    dpps("data", "audit", "--rse", bad, "--all", exit_code=6)
    wait_for(lambda: kept.places() == {bad, good}, "the other copy to be replaced")


@pytest.mark.verifies_usecase("UC-110-1.6")
def test_a_change_of_the_policy_moves_what_is_there(dpps: Shell, kept: Kept, tmp_path: Path) -> None:
    before = kept.places()
    elsewhere = sorted(_OFFSITE - before)
    moved = (
        "kinds:\n"
        "  - name: moved\n"
        f"    where: instance__obs_id = {kept.obs_id}\n"
        "    copies: 2\n"
        f"    at: {'|'.join(elsewhere)}\n"
        "    further_copies_from: offsite\n"
        "    free_onsite: when-verified\n"
    )
    packaged, new = tmp_path / "packaged.yaml", tmp_path / "new.yaml"
    packaged.write_text(packaged_policy_text())
    new.write_text(packaged_policy_text().replace("kinds:\n", moved))
    assert dpps("data", "policy", "check", str(new)) == {"valid": True, "findings": []}
    # Datasets of other tests may be on their way to what the policy wants, and are listed too.
    (change,) = [
        one
        for one in dpps("data", "policy", "simulate", str(new))["datasets"]
        if one["dataset"] == kept.lfn.rsplit("/", 1)[0]
    ]
    made: dict[str, Any] = change["made"]
    assert sum(one["size_bytes"] for one in made.values()) == 2 * len(kept.written)
    assert set(change["removed"]) == before
    try:
        dpps("data", "policy", "apply", str(new))
        wait_for(lambda: kept.places() == set(elsewhere), "the copies to move")
    finally:
        dpps("data", "policy", "apply", str(packaged))
