"""What people say of files: options, files with metadata, lists of files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dpps.cli.data.manifest import named_files, read_manifest, read_metadata
from dpps.cli.main import run
from dpps.domain.errors import InvalidInput

_INVALID = 2


def test_single_keys_count_before_the_kind_and_the_kind_before_the_file(tmp_path: Path) -> None:
    product = tmp_path / "product.yaml"
    product.write_text("data: {level: DL1, type: Other}\ninstance__obs_id: 7\ncreation_time: 2026-02-14\n")
    said = read_metadata(product, "DL3/Event/Subarray/AirShower", ["data__type=Muon", "instance__obs_id= 8"])
    assert said == {
        "data__level": "DL3",
        "data__division": "Event",
        "data__association": "Subarray",
        "data__type": "Muon",
        "instance__obs_id": 8,
        "creation_time": "2026-02-14",
    }


@pytest.mark.parametrize(
    ("text", "kind", "pairs"),
    [
        ("- a list", None, []),
        ("a: [", None, []),
        ("{a: {b: 1}, a__b: 2}", None, []),
        ("{}", "DL3/Event", []),
        ("{}", None, ["no-value"]),
        ("{}", None, ["key=[1"]),
    ],
)
def test_what_cannot_be_read_is_refused(
    tmp_path: Path, text: str, kind: str | None, pairs: list[str]
) -> None:
    product = tmp_path / "product.yaml"
    product.write_text(text)
    with pytest.raises(InvalidInput) as refused:
        read_metadata(product, kind, pairs)
    assert refused.value.next_step


def test_one_name_is_for_one_file_and_a_folder_for_many() -> None:
    one, two = Path("a.fits"), Path("b.fits")
    assert [file.lfn for file in named_files([one], "/ctao/dpps/x/y", None)] == ["/ctao/dpps/x/y"]
    assert [file.lfn for file in named_files([one, two], "/ctao/dpps/x/", None)] == [
        "/ctao/dpps/x/a.fits",
        "/ctao/dpps/x/b.fits",
    ]
    with pytest.raises(InvalidInput):
        named_files([one, two], "/ctao/dpps/x/y", None)


@pytest.mark.parametrize("suffix", [".yaml", ".json", ".jsonl"])
def test_a_list_names_files_beside_it(tmp_path: Path, suffix: str) -> None:
    entries = [{"path": "a.fits", "metadata": {"obs_id": 1}}, {"path": "b.fits", "lfn": "/ctao/dpps/x/b"}]
    manifest = tmp_path / f"list{suffix}"
    manifest.write_text(
        "\n".join(json.dumps(one) for one in entries) if suffix == ".jsonl" else json.dumps(entries)
    )
    first, second = read_manifest(manifest)
    assert (first.path, first.metadata, first.lfn) == (tmp_path / "a.fits", {"obs_id": 1}, None)
    assert (second.path, second.lfn) == (tmp_path / "b.fits", "/ctao/dpps/x/b")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("{}", "no list"),
        ("[{lfn: x}]", "entry 1"),
        ("[{path: a}, {path: b, lnf: x}]", "entry 2 has the unknown key 'lnf'"),
        ("[{path: a, metadata: 3}]", "entry 1"),
        ("[{path: a, lfn: 3}]", "entry 1"),
    ],
)
def test_a_wrong_list_is_refused_with_its_entry(tmp_path: Path, text: str, named: str) -> None:
    manifest = tmp_path / "list.yaml"
    manifest.write_text(text)
    with pytest.raises(InvalidInput, match=named):
        read_manifest(manifest)


def test_a_wrong_line_of_a_list_is_named(tmp_path: Path) -> None:
    manifest = tmp_path / "list.jsonl"
    manifest.write_text('{"path": "a"}\n\n{"path": \n')
    with pytest.raises(InvalidInput, match="line 3: Expecting value at column"):
        read_manifest(manifest)


@pytest.mark.parametrize(
    "arguments", [[], ["x.fits", "--lifetime", "3 days"], ["a", "b", "--lfn", "/ctao/dpps/x/y"]]
)
def test_options_that_do_not_fit_are_refused(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["data", "put", *arguments, "--json", "--state", str(tmp_path)]) == _INVALID
    assert json.loads(capsys.readouterr().err)["error"]["next_step"]
