"""Log files: last lines, reasons for an end, rotation, following."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpps.composition.instance import Instance
from dpps.composition.state import StateFolder
from dpps.domain.errors import NotFound
from dpps.ops import logs


@given(st.text())
def test_any_line_can_be_read(raw: str) -> None:
    line = logs.parse(raw, "x")
    assert line.raw == raw
    assert line.at_least("critical") or line.level in logs.LEVELS


@given(
    st.lists(st.text(st.characters(codec="ascii", exclude_categories=["C"])), max_size=50), st.integers(0, 60)
)
def test_tail_returns_the_last_lines(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], count: int
) -> None:
    path = tmp_path_factory.mktemp("logs") / "x.log"
    path.write_text("".join(f"{line}\n" for line in lines))
    assert logs.tail(path, count) == (lines[-count:] if count else [])


def test_tail_reads_across_blocks(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_text("".join(f"{number:0100d}\n" for number in range(5000)))
    assert [int(line) for line in logs.tail(path, 1500)] == list(range(3500, 5000))


def test_the_reason_is_the_last_error_with_its_exception(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    failure = {"level": "error", "event": "cannot go on", "exception": "Traceback …\nKeyError: 'a'"}
    path.write_text(f"{json.dumps(failure)}\n{json.dumps({'level': 'info', 'event': 'bye'})}\n")
    assert logs.last_error(path) == "cannot go on: KeyError: 'a'"


def test_the_reason_of_a_program_with_plain_lines(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_text('2026 [1] FATAL:  could not open file "x"\n2026 [1] LOG:  database system is shut down\n')
    assert logs.last_error(path) == '2026 [1] FATAL:  could not open file "x"'
    path.write_text("Traceback (most recent call last):\nModuleNotFoundError: No module named 'x'\n")
    assert logs.last_error(path) == "ModuleNotFoundError: No module named 'x'"


def test_earlier_lives_are_not_blamed(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_text('{"level": "error", "event": "old"}\n')
    size = path.stat().st_size
    assert logs.last_error(path, since_byte=size) == ""


def test_a_large_file_is_started_anew_while_its_writer_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "_LARGEST_BYTES", 10)
    path = tmp_path / "x.log"
    with path.open("a") as writer:
        writer.write("0123456789\n")
        writer.flush()
        assert logs.rotate(path)
        writer.write("new\n")
    assert path.read_text() == "new\n"
    assert (tmp_path / "x.log.1").read_text() == "0123456789\n"
    assert not logs.rotate(path)


def test_lines_of_several_services_come_in_order_of_time(tmp_path: Path) -> None:
    one, other = tmp_path / "one.log", tmp_path / "other.log"
    one.write_text(
        '{"time": "2026-01-01T00:00:01Z", "event": "a"}\n{"time": "2026-01-01T00:00:03Z", "event": "c"}\n'
    )
    other.write_text("2026-01-01 00:00:02.000 UTC [1] LOG:  b\n\tits continuation\n")
    merged = logs.last_lines({"one": one, "other": other}, 10)
    assert [line.event[-1] for line in merged] == ["a", "b", "n", "c"]


def test_following_yields_new_lines_and_notices_a_file_started_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.log"
    path.write_text("old line\n")
    happenings: Iterator[Callable[[], object]] = iter(
        [lambda: path.write_text("old line\nnew\nhal"), lambda: path.write_text("anew\n")]
    )
    monkeypatch.setattr(time, "sleep", lambda _seconds: happen())

    def happen() -> None:
        next(happenings)()

    following = logs.follow_lines({"x": path})
    assert [line.event for line in islice(following, 2)] == ["new", "anew"]


def test_unknown_logs_are_refused_with_the_known_ones(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    Instance().save(folder)
    folder.logs.mkdir()
    folder.log("a").touch()
    assert list(logs.log_files(folder, [])) == ["a"]
    with pytest.raises(NotFound, match="'b'") as refused:
        logs.log_files(folder, ["b"])
    assert refused.value.next_step == "choose from: a"
