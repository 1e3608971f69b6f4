"""Holding copies costs calls for batches, not for files; one that is refused costs a few more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from rucio.common.exception import DuplicateRule, RuleNotFound, RuleReplaceFailed, ServiceUnavailable

from dpps.adapters.rucio.copy_keeper import RucioCopyKeeper
from dpps.domain.errors import Unavailable
from dpps.domain.names import Lfn

RSE = "CTAO-NORTH"
LFNS = [Lfn(f"/ctao/acada/DL0/day/{number:04}.fits.fz") for number in range(250)]


class Client:
    """Rules as the catalogue keeps them: all of a call are made, or none."""

    account = "preservation"

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.rules: dict[str, dict[str, Any]] = {}
        self.refused: set[str] = set()
        self.hidden: set[str] = set()
        """Rules that a list does not show yet."""
        self.gone: set[str] = set()
        """Rules that end in this moment."""

    def list_replication_rules(self, filters: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        self.calls["list"] += 1
        assert {"account", "rse_expression", "comments"} <= set(filters)
        for name, rule in self.rules.items():
            if filters.get("name") in (None, name) and name not in self.hidden:
                yield dict(rule)
        self.hidden.clear()

    def add_replication_rule(
        self, dids: Sequence[Mapping[str, str]], copies: int, rse: str, *, meta: str, **_: object
    ) -> None:
        self.calls["add"] += 1
        names = [one["name"] for one in dids]
        if self.refused.intersection(names):
            raise RuleReplaceFailed("no")
        if set(self.rules).intersection(names):
            raise DuplicateRule
        for name in names:
            self.rules[name] = {"id": name, "name": name, "copies": copies, "meta": meta, "expires_at": None}

    def update_replication_rule(self, rule: str, options: Mapping[str, object]) -> None:
        self.calls["update"] += 1
        if rule in self.gone:
            del self.rules[rule]
            raise RuleNotFound
        self.rules[rule]["expires_at"] = None if options["lifetime"] is None else "soon"


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture
def keeper(client: Client) -> RucioCopyKeeper:
    return RucioCopyKeeper(client)


def test_calls_grow_with_batches(client: Client, keeper: RucioCopyKeeper) -> None:
    assert keeper.keep(RSE, LFNS) == {}
    assert set(client.rules) == {lfn.name for lfn in LFNS}
    assert client.calls == {"list": 1, "add": 3}
    assert keeper.keep(RSE, LFNS) == {}
    assert client.calls == {"list": 2, "add": 3}, "what is held is not held anew"
    assert keeper.let_go(RSE, LFNS[:1] + LFNS[-1:]) == [LFNS[0], LFNS[-1]]
    assert client.calls == {"list": 3, "add": 3, "update": 2}
    assert keeper.keep(RSE, LFNS) == {}
    assert client.calls["update"] == 4, "only what was about to end is asked to stay"
    assert all(rule["expires_at"] is None for rule in client.rules.values())


def test_one_refusal_among_many_costs_a_few_calls(client: Client, keeper: RucioCopyKeeper) -> None:
    client.refused = {LFNS[37].name}
    refused = keeper.keep(RSE, LFNS[:100])
    assert set(refused) == {LFNS[37]}
    assert LFNS[37].name in refused[LFNS[37]]
    assert len(client.rules) == 99
    assert client.calls["add"] <= 2 * 8


def test_a_rule_that_was_made_since_we_looked_is_ours(client: Client, keeper: RucioCopyKeeper) -> None:
    keeper.keep(RSE, LFNS[:2])
    client.hidden = {LFNS[0].name}
    assert keeper.keep(RSE, LFNS[:3]) == {}
    assert {lfn.name for lfn in LFNS[:3]} == set(client.rules)


def test_a_rule_that_ends_in_this_moment_is_made_anew(client: Client, keeper: RucioCopyKeeper) -> None:
    keeper.keep(RSE, LFNS[:3])
    keeper.let_go(RSE, LFNS[:1])
    client.gone = {LFNS[0].name}
    assert keeper.keep(RSE, LFNS[:3]) == {}
    assert client.rules[LFNS[0].name]["expires_at"] is None


def test_a_catalogue_that_does_not_answer_is_no_refusal(
    client: Client, keeper: RucioCopyKeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(*_: object, **__: object) -> None:
        raise ServiceUnavailable

    monkeypatch.setattr(client, "add_replication_rule", silent)
    with pytest.raises(Unavailable):
        keeper.keep(RSE, LFNS[:2])
    assert keeper.keep(RSE, []) == {}
