"""Finding, retrieving, explaining and handing on files, seen from outside."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from dpps.testing.command_line import Shell
from dpps.testing.handed_files import announce, make_raw_stream

pytestmark = pytest.mark.rucio

TYPES = ("event", "monitoring", "service")


@pytest.fixture(scope="module")
def first() -> int:
    """The first of three observations that nothing else of the system has."""
    return uuid.uuid4().int % 1_000_000_000


def name(observation: int, telescope: int, kind: str, top: str) -> str:
    return (
        f"ctao/acada/DL0/{top}/LSTN-{telescope:02d}/ctao-north/{kind}/2026/02/14/"
        f"TEL{telescope:03d}_SDH0001_20260214T213000_OBSID{observation:019d}_CHUNK001.fits.fz"
    )


@pytest.mark.verifies_requirement("C-BDMS-0210")
@pytest.mark.verifies_usecase("UC-110-1.2.1")
@pytest.mark.verifies_usecase("UC-110-1.3.1")
def test_three_observations_of_four_telescopes_of_three_types(
    dpps: Shell, tmp_path: Path, first: int
) -> None:
    top = f"run{first}"
    for observation in range(first, first + 3):
        for telescope in range(1, 5):
            for kind in TYPES:
                path = tmp_path / "in" / name(observation, telescope, kind, top)
                announce(make_raw_stream(path, obs_id=observation, tel_id=telescope))
    assert len(dpps("ingest", str(tmp_path / "in"))) == 36
    folder = f"/ctao/acada/DL0/{top}"

    def found(expression: str, *options: str) -> list[str]:
        return [one["lfn"] for one in dpps("data", "find", expression, "--under", folder, *options)]

    these = f"instance__obs_id between {first} and {first + 2}"
    assert len(found(these)) == 36
    assert len(found(f"instance__obs_id = {first}")) == 12
    assert len(found(f"instance__obs_id = {first} and instance__ae_id in (1, 3)")) == 6
    assert (
        len(found(f"instance__obs_id > {first} and not (instance__ae_id = 1 or instance__ae_id >= 4)")) == 12
    )
    assert (
        len(found("sb_id is present and instance__batch_id is missing and start_time >= '2026-02-14'")) == 36
    )
    event = [one["lfn"] for one in dpps("data", "find", "", "--under", f"{folder}/**/event/**/TEL00[12]*")]
    assert len(event) == 6
    pages = [dpps("data", "find", these, "--under", folder, "--limit", "20")]
    pages.append(dpps("data", "find", these, "--under", folder, "--limit", "20", "--after", pages[0]["next"]))
    assert [page["more"] for page in pages] == [True, False]
    assert [one["lfn"] for page in pages for one in page["files"]] == found(these)

    output = tmp_path / "out"
    selection = ("--query", f"{these} and instance__ae_id = 2", "--under", folder, "--keep-paths")
    got = dpps("data", "get", *selection, "-o", str(output), "--near", "ES")
    assert len(got) == 9
    for one in got:
        assert Path(one["path"]).read_bytes() == (tmp_path / "in" / one["lfn"].lstrip("/")).read_bytes()
    assert {one["from"] for one in dpps("data", "get", *selection, "-o", str(output))} == {None}

    dpps("data", "dataset", "save", f"crab-{first}", these, "--under", folder)
    assert dpps("data", "dataset", "show", f"crab-{first}")["files"] == 36
    frozen = dpps("data", "dataset", "freeze", f"crab-{first}")
    assert frozen["digest"].startswith("sha256:")
    assert dpps("data", "dataset", "files", f"crab-{first}") == found(these)
    dpps("data", "dataset", "remove", f"crab-{first}")


@pytest.mark.verifies_requirement("C-BDMS-0330")
@pytest.mark.verifies_usecase("UC-110-1.2")
def test_every_copy_of_a_file_is_told(dpps: Shell, tmp_path: Path) -> None:
    observation = uuid.uuid4().int % 1_000_000_000
    path = tmp_path / name(observation, 1, "event", f"run{observation}")
    announce(make_raw_stream(path, obs_id=observation))
    (result,) = dpps("ingest", str(tmp_path))
    told = dpps("data", "info", result["lfn"])
    available = [one for one in told["replicas"] if one["state"] == "available"]
    assert available
    for copy in available:
        assert copy["url"].endswith(result["lfn"])
        assert copy["rse"] in copy["url"]


def test_wrong_questions_are_errors(dpps: Shell, tmp_path: Path) -> None:
    unknown = dpps("data", "find", "instance_obs_id = 3", exit_code=2)
    assert "did you mean instance__obs_id" in unknown["error"]["message"]
    assert dpps("data", "find", "", "--under", "nope", exit_code=2)["error"]["code"] == "place-invalid"
    assert dpps("data", "find", "", "--under", "/ctao/nope", exit_code=3)["error"]["code"] == "folder-unknown"
    wrong = dpps("data", "get", "/ctao/acada/x", "--near", "Atlantis", "-o", str(tmp_path), exit_code=2)
    assert wrong["error"]["code"] == "near-unknown"


@pytest.mark.verifies_usecase("UC-110-1.1.3")
def test_a_package_is_made_verified_and_known_when_it_comes_back(dpps: Shell, tmp_path: Path) -> None:
    observation = uuid.uuid4().int % 1_000_000_000
    folder = f"/ctao/acada/DL0/run{observation}"
    path = tmp_path / "in" / name(observation, 1, "event", f"run{observation}")
    announce(make_raw_stream(path, obs_id=observation))
    (result,) = dpps("ingest", str(tmp_path / "in"))
    bag = tmp_path / "night.tar"
    made = dpps("data", "package", "export", f"{folder}/**", "-o", str(bag), "--kind", "aip")
    assert made["files"] == 1
    assert dpps("data", "package", "verify", str(bag))["bytes"] == path.stat().st_size
    (known,) = dpps("data", "package", "import", str(bag))
    assert (known["lfn"], known["outcome"]) == (result["lfn"], "known")
    lineage = dpps("data", "lineage", result["lfn"], "--down")
    assert lineage["complete"]
    assert [one["lfn"] for one in lineage["files"]] == [result["lfn"]]
