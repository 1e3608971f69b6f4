from __future__ import annotations

from pathlib import Path

import pytest

from dpps.data.policy import load_policy
from dpps.domain.errors import InvalidInput


def test_packaged_policy_keeps_two_offsite_copies_of_everything(tmp_path: Path) -> None:
    policy = load_policy(tmp_path / "absent.yaml")
    for level in ("DL0", "SIM", "DL1", "DL2"):
        kind = policy.kind_of({"data__level": level})
        rule = kind.rule("/ctao/x/y")
        assert (rule.dataset, rule.copies, rule.expression) == ("/ctao/x/y", 2, "OFFSITE=True")
        assert kind.free_onsite


def test_an_override_replaces_the_packaged_policy(tmp_path: Path) -> None:
    override = tmp_path / "policy.yaml"
    override.write_text(
        "version: 1\ntemporary_lifetime_seconds: 60\nkinds:\n"
        "- {name: raw, where: \"data__level = 'DL0'\", offsite_copies: 3, free_onsite: false}\n"
        "- {name: rest, offsite_copies: 1, free_onsite: false}\n"
    )
    policy = load_policy(override)
    assert policy.kind_of({"data__level": "DL0"}).offsite_copies == 3
    assert policy.kind_of({}).name == "rest"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("version: [", "while parsing"),
        ("", "valid dictionary"),
        ("version: 2\nkinds: []\ntemporary_lifetime_seconds: 1", "version"),
        (
            "version: 1\ntemporary_lifetime_seconds: 1\n"
            "kinds: [{name: a, offsite_copies: 0, free_onsite: true}]",
            "copies",
        ),
        (
            "version: 1\ntemporary_lifetime_seconds: 1\n"
            "kinds: [{name: a, where: 'level is 3', offsite_copies: 2, free_onsite: true}]",
            "column 7",
        ),
        (
            "version: 1\ntemporary_lifetime_seconds: 1\n"
            "kinds: [{name: a, where: 'a = 3', offsite_copies: 2, free_onsite: true}]",
            "accept every product",
        ),
        (
            "version: 1\ntemporary_lifetime_seconds: 1\n"
            "kinds: [{name: a, offsite_copies: 1, free_onsite: true}]",
            "free_onsite needs offsite_copies of at least 2",
        ),
    ],
)
def test_a_wrong_policy_is_refused_with_its_path(tmp_path: Path, text: str, named: str) -> None:
    override = tmp_path / "policy.yaml"
    override.write_text(text)
    with pytest.raises(InvalidInput, match=named) as caught:
        load_policy(override)
    assert str(override) in caught.value.message


def test_an_override_that_cannot_be_read_is_refused_not_passed_over(tmp_path: Path) -> None:
    folder = tmp_path / "folder.yaml"
    folder.mkdir()
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe")
    for override in (folder, binary):
        with pytest.raises(InvalidInput, match="cannot be read"):
            load_policy(override)
