"""``dpps data find``: all files as they come, or one page that says how to ask for the next."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from dpps.adapters.memory.catalogue import MemoryCatalogue
from dpps.cli.data import finding
from dpps.cli.main import run
from dpps.data.ports import Registration
from dpps.domain.files import FileContent
from dpps.domain.names import Lfn
from dpps.domain.principals import Principal, Role
from dpps.testing.small_workload import simulated, small_storages

FOLDER = "/ctao/dpps/SIM"
type Find = Callable[..., str]


@pytest.fixture
def find(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Find:
    """Ask an archive of seven files, in pages of three."""
    catalogue = MemoryCatalogue(small_storages(tmp_path))
    for number in range(7):
        lfn = Lfn(f"{FOLDER}/run{number}")
        content = FileContent(size_bytes=number, adler32="00000001")
        catalogue.register(
            [Registration(lfn=lfn, rse="CSCS", content=content, metadata=simulated(number), dataset=FOLDER)]
        )
        catalogue.attach(FOLDER, [lfn])
    reader = Principal(name="eve", roles=frozenset({Role.READER}))
    monkeypatch.setattr("dpps.composition.data.build_catalogue", lambda *_: catalogue)
    monkeypatch.setattr("dpps.composition.principals.local_principal", lambda *_: reader)
    monkeypatch.setattr(finding, "_PAGE", 3)

    def ask(*arguments: str) -> str:
        assert run(["data", "find", *arguments, "--state", str(tmp_path)]) == 0
        return capsys.readouterr().out

    return ask


def test_all_files_are_one_list(find: Find) -> None:
    found = json.loads(find("--json"))
    assert [one["lfn"] for one in found] == [f"{FOLDER}/run{number}" for number in range(7)]
    assert found[6]["metadata"]["instance__obs_id"] == 6
    assert find().splitlines() == [f"{FOLDER}/run{number}\t{number}" for number in range(7)]


def test_no_file_is_an_empty_list(find: Find) -> None:
    assert json.loads(find("instance__obs_id = 8", "--json")) == []
    assert find("instance__obs_id = 8") == ""


def test_a_page_says_how_to_ask_for_the_next(find: Find) -> None:
    pages = [json.loads(find("--json", "--limit", "4"))]
    pages.append(json.loads(find("--json", "--limit", "4", "--after", pages[0]["next"])))
    assert [[one["bytes"] for one in page["files"]] for page in pages] == [[0, 1, 2, 3], [4, 5, 6]]
    assert [(page["more"], page["next"]) for page in pages] == [(True, f"{FOLDER}/run3"), (False, None)]
