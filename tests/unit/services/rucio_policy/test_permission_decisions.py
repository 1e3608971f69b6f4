"""Who may do what in the catalogue, decided without one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpps.services.rucio_policy import SUPPORTED_VERSION, get_algorithms, schema
from dpps.services.rucio_policy.decisions import (
    ATTRIBUTES,
    OPERATOR,
    PRESERVER,
    PUBLISHER,
    TEMPORARY_WRITER,
    WRITERS,
    Asker,
    RuleFacts,
    Wish,
    decide,
)

_WRITING = (
    "add_did",
    "add_dids",
    "attach_dids",
    "attach_dids_to_dids",
    "add_replicas",
    "update_replicas_states",
    "set_metadata",
    "set_metadata_bulk",
    "set_status",
)
_PRODUCTION = Asker(account="production", attributes=frozenset({PUBLISHER, TEMPORARY_WRITER}))
_TEMPORARY_RULE = RuleFacts(scope="tmp", account="production")


def _asker(*attributes: str) -> Asker:
    return Asker(account="someone", attributes=frozenset(attributes))


@given(
    st.sampled_from(_WRITING),
    st.lists(st.sampled_from([*WRITERS, "user.jane"]), min_size=1, max_size=4),
    st.sets(st.sampled_from(sorted(ATTRIBUTES))),
)
def test_writing_needs_the_attribute_of_every_protected_scope(
    action: str, scopes: list[str], attributes: set[str]
) -> None:
    answer = decide(_asker(*attributes), Wish(action=action, scopes=tuple(scopes)))
    open_ = all(WRITERS[scope] in attributes for scope in scopes if scope in WRITERS)
    if not open_:
        assert answer is False
    else:
        # What is nobody's protected scope is for Rucio's own policy to decide.
        assert answer is (None if "user.jane" in scopes else True)


def test_the_owner_of_a_rule_may_take_its_end_away_but_not_end_it() -> None:
    rule = RuleFacts(scope="dpps", account="production")
    keys = frozenset({"lifetime", "meta"})
    assert decide(_PRODUCTION, Wish(action="update_rule", rule=rule, keys=keys, endless=True)) is True
    assert decide(_PRODUCTION, Wish(action="update_rule", rule=rule, keys=keys)) is False
    for action in ("del_rule", "reduce_rule", "move_rule"):
        assert decide(_PRODUCTION, Wish(action=action, rule=rule)) is False


def test_copies_of_unnamed_files_are_refused() -> None:
    assert decide(_asker(*ATTRIBUTES), Wish(action="add_replicas")) is False
    assert decide(_asker(*WRITERS.values()), Wish(action="set_tombstone")) is False


def test_a_scope_may_be_made_by_those_who_write_it() -> None:
    assert decide(_asker(PUBLISHER), Wish(action="add_scope", scopes=("dpps",))) is True
    for others in ("acada", "user.jane"):
        assert decide(_asker(PUBLISHER), Wish(action="add_scope", scopes=(others,))) is None


def test_rules_are_made_for_oneself_unlocked_and_where_one_may_write() -> None:
    wish = Wish(action="add_rule", scopes=("dpps",), accounts=("production",))
    assert decide(_PRODUCTION, wish) is True
    assert decide(_asker(PUBLISHER), wish) is False
    assert decide(_PRODUCTION, Wish(action="add_rule", scopes=("acada",), accounts=("production",))) is False
    locked = Wish(action="add_rule", scopes=("dpps",), accounts=("production",), locked=True)
    assert decide(_PRODUCTION, locked) is False
    assert decide(_asker(PRESERVER), locked) is True


@pytest.mark.parametrize("asker", [_PRODUCTION, _asker(PRESERVER)])
def test_the_end_of_a_rule_deletes_copies_of_temporary_files_only(asker: Asker) -> None:
    wish = Wish(action="add_rule", scopes=("dpps",), accounts=("production",), purges=True)
    assert decide(asker, wish) is False
    assert decide(asker, replace(wish, scopes=("tmp", "dpps"))) is False
    assert decide(asker, replace(wish, scopes=("tmp",))) is True


def test_temporary_rules_have_an_end() -> None:
    endless = Wish(action="add_rule", scopes=("tmp",), accounts=("production",), endless=True)
    assert decide(_PRODUCTION, endless) is False
    change = Wish(action="update_rule", rule=_TEMPORARY_RULE, keys=frozenset({"lifetime"}), endless=True)
    assert decide(_PRODUCTION, change) is False


@pytest.mark.parametrize(
    ("rule", "keys", "expected"),
    [
        (_TEMPORARY_RULE, {"lifetime"}, True),
        (_TEMPORARY_RULE, {"account"}, False),
        (RuleFacts(scope="tmp", account="another"), {"lifetime"}, False),
        (RuleFacts(scope="dpps", account="production"), {"lifetime"}, False),
        (RuleFacts(scope="dpps", account="production"), {"meta", "comment"}, True),
        (RuleFacts(scope="dpps", account="production"), {"account"}, False),
        (RuleFacts(scope="dpps", account="ingest"), {"meta"}, False),
        (RuleFacts(scope="acada", account="ingest"), {"lifetime"}, False),
        (RuleFacts(scope="user.jane", account="jane"), {"lifetime"}, None),
        (None, {"lifetime"}, None),
    ],
)
def test_who_may_change_a_rule(rule: RuleFacts | None, keys: set[str], expected: bool | None) -> None:
    wish = Wish(action="update_rule", rule=rule, keys=frozenset(keys))
    assert decide(_PRODUCTION, wish) is expected
    assert decide(_asker(PRESERVER), wish) is True


@pytest.mark.parametrize("key", ["lifetime", "expired_at", "adler32", "bytes"])
def test_keys_that_would_lose_an_archived_file_are_set_by_nobody_but_root(key: str) -> None:
    wish = Wish(action="set_metadata", scopes=("dpps",), keys=frozenset({key}))
    assert decide(_asker(*ATTRIBUTES), wish) is False
    assert decide(Asker(account="root", attributes=frozenset()), wish) is True


def test_temporary_files_may_get_a_lifetime_but_no_other_checksum() -> None:
    lifetime = Wish(action="set_metadata", scopes=("tmp",), keys=frozenset({"lifetime"}))
    assert decide(_PRODUCTION, lifetime) is True
    checksum = Wish(action="set_metadata", scopes=("tmp",), keys=frozenset({"adler32"}))
    assert decide(_PRODUCTION, checksum) is False


@given(st.sampled_from(["add_rse", "add_account", "no_such_call", "del_rse"]))
def test_what_is_not_said_here_is_left_to_the_generic_policy(action: str) -> None:
    assert decide(_asker(*ATTRIBUTES), Wish(action=action)) is None


def test_only_operators_change_storages() -> None:
    assert decide(_asker(OPERATOR), Wish(action="update_rse")) is True
    assert decide(_asker(*(ATTRIBUTES - {OPERATOR})), Wish(action="update_rse")) is None


def test_a_physical_name_leads_back_to_the_file_of_which_it_was_made() -> None:
    parsed = {"path": "/ctao/acada/DL0/day/", "name": "file.fits.fz", "prefix": "/storage/CSCS/"}
    back = get_algorithms()["pfn2lfn"]["ctao_bdms"]
    assert back(parsed) == ("/ctao/acada/DL0/day/file.fits.fz", "acada")


def test_names_schema_and_algorithms_are_the_published_ones() -> None:
    import bdms_rucio_policy  # type: ignore[import-untyped]
    import bdms_rucio_policy.schema  # type: ignore[import-untyped]

    assert bdms_rucio_policy.SUPPORTED_VERSION == SUPPORTED_VERSION
    algorithms = bdms_rucio_policy.get_algorithms()
    assert {kind: get_algorithms()[kind] for kind in algorithms} == algorithms
    ours = {name for name in vars(schema) if not name.startswith("_")}
    assert ours >= {name for name in vars(bdms_rucio_policy.schema) if not name.startswith("_")}
