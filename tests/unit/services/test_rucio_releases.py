"""Of what Rucio's reaper lists on site, only what may go is deleted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from types import SimpleNamespace
from typing import Any

from structlog.testing import capture_logs

from dpps.composition.releases import DeletionGuard
from dpps.data.preservation.releasing import GateDecision, GateVerdict
from dpps.domain.errors import Unavailable
from dpps.domain.names import Lfn
from dpps.services.rucio_releases import those_that_go

_State = Enum("_State", ["AVAILABLE", "BEING_DELETED", "BAD", "UNAVAILABLE"])


def _row(name: str, state: str = "AVAILABLE") -> dict[str, Any]:
    return {"scope": SimpleNamespace(external="x"), "name": name, "state": _State[state], "bytes": 3}


class _Gate:
    """Answers by the last letter of names."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.withdrawn: list[str] = []

    def verdicts(self, _rse: str, lfns: Sequence[Lfn]) -> Mapping[Lfn, GateVerdict]:
        self.asked += [lfn.name for lfn in lfns]
        return {lfn: GateVerdict(lfn.basename) for lfn in lfns}

    def abandoned(self, _rse: str, lfn: Lfn, size_bytes: int) -> GateDecision:
        assert size_bytes == 3
        return GateDecision(verdict=GateVerdict(lfn.parent.rpartition("/")[2]))

    def withdraw(self, _rse: str, lfns: Sequence[Lfn]) -> None:
        self.withdrawn += [lfn.name for lfn in lfns]
        raise Unavailable("the database has gone away")


def _guard(gate: object, prepare: Any = lambda: None) -> DeletionGuard:
    return DeletionGuard(gate=gate, onsite=frozenset({"A"}), prepare=prepare)  # type: ignore[arg-type]


def test_copies_go_stay_or_wait_as_the_gate_says() -> None:
    rows = [_row(f"/ctao/acada/{verdict.value}") for verdict in GateVerdict]
    rows.append(_row("/ctao/acada/x/stays", "BEING_DELETED"))
    given_back: list[Mapping[str, Any]] = []
    gate = _Gate()
    with capture_logs() as lines:
        going = those_that_go(_guard(gate), "A", rows, given_back.extend)
    told = {line["lfn"]: line["event"] for line in lines if "lfn" in line}
    assert set(told) == {row["name"] for row in rows} - {"/ctao/acada/goes"}
    assert "nobody can tell" in told["/ctao/acada/waits"]
    assert [row["name"] for row in going] == ["/ctao/acada/goes"]
    staying = ["/ctao/acada/unknown", "/ctao/acada/stays", "/ctao/acada/x/stays"]
    assert [row["name"] for row in given_back] == staying
    assert gate.withdrawn == staying


def test_of_an_unreleased_copy_whose_deletion_broke_off_the_bytes_decide() -> None:
    rows = [_row(f"/ctao/dpps/{word}/unknown", "BEING_DELETED") for word in ("goes", "stays", "waits")]
    given_back: list[Mapping[str, Any]] = []
    going = those_that_go(_guard(_Gate()), "A", rows, given_back.extend)
    assert (going, given_back) == ([rows[0]], [rows[1]])


def test_what_cannot_have_been_released_is_left_to_rucio() -> None:
    rows = [
        _row("/ctao/acada/a/stays", "BAD"),
        _row("/ctao/acada/b/stays", "UNAVAILABLE"),
        _row("/ctao/tmp/stays"),
        _row("/ctao/jane/stays"),
        _row("no LFN of ours"),
    ]
    gate, given_back = _Gate(), list[Mapping[str, Any]]()
    assert those_that_go(_guard(gate), "A", rows, given_back.extend) == rows
    assert (gate.asked, given_back) == ([], [])


def test_while_the_database_does_not_answer_no_copy_goes_that_may_have_been_released() -> None:
    def fail() -> None:
        raise Unavailable("the database does not answer")

    rows = [_row("/ctao/acada/goes"), _row("/ctao/tmp/goes")]
    given_back: list[Mapping[str, Any]] = []
    going = those_that_go(_guard(_Gate(), fail), "A", rows, given_back.extend)
    assert [row["name"] for row in going] == ["/ctao/tmp/goes"]
    assert given_back == []
