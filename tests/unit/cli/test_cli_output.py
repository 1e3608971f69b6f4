"""What programs read is JSON, whatever went wrong; names from outside cannot speak to the terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpps.cli.main import run
from dpps.cli.output import emit_table, visible
from dpps.composition.instance import Instance
from dpps.composition.state import StateFolder


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (["nonsense"], "dpps"),
        (["data", "info"], "dpps data info"),
        (["data", "ls", "--nope"], "dpps data ls"),
        (["status", "--state", __file__], "dpps status"),
    ],
)
def test_a_wrong_command_line_is_told_as_json(
    arguments: list[str], command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*arguments, "--json"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    error = json.loads(printed.err)["error"]
    assert error["code"] == "usage"
    assert error["next_step"] == f"run: {command} --help"


def test_without_json_a_wrong_command_line_is_told_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["nonsense"]) == 2
    assert "No such command 'nonsense'" in capsys.readouterr().err


def test_logs_as_json_are_json_throughout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = StateFolder(tmp_path)
    Instance().save(folder)
    folder.logs.mkdir()
    ours = json.dumps({"level": "info", "event": "ready", "service": "x"})
    folder.log("x").write_text(f'{ours}\nFATAL:  "quoted"\n[1, 2]\n')
    assert run(["logs", "--json", "--state", str(tmp_path)]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["event"] for line in lines] == ["ready", 'FATAL:  "quoted"', "[1, 2]"]
    assert {line["service"] for line in lines} == {"x"}


@given(st.text())
def test_no_text_reaches_the_terminal_as_a_command(text: str) -> None:
    assert visible(text).isprintable()
    if text.isprintable():
        assert visible(text) == text


def test_a_name_with_a_line_break_stays_in_its_row(capsys: pytest.CaptureFixture[str]) -> None:
    emit_table(["path", "bytes"], [{"path": "new\nline\x1b[31m", "bytes": 1}], empty="")
    assert capsys.readouterr().out == "new\\nline\\x1b[31m\t1\n"
