"""The page on identities tells what each role may do, as the code has it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dpps.domain.errors import NotAuthorized
from dpps.domain.principals import Action, Principal, Role, authorize

_PAGE = Path(__file__).parents[2] / "docs/operator/reference/identities.md"
_ROW = re.compile(r"^\| `([a-z-]+)` \| [^|]+ \| ((?:`[a-z.]+`(?:, )?)+) \|$", re.MULTILINE)


def _allowed(role: Role, action: Action) -> bool:
    try:
        authorize(Principal(name="somebody", roles=frozenset({role})), action, "a thing")
    except NotAuthorized:
        return False
    return True


@pytest.mark.parametrize("role", Role)
def test_the_page_names_what_a_role_may_do(role: Role) -> None:
    told = {
        name: set(re.findall(r"`([a-z.]+)`", actions)) for name, actions in _ROW.findall(_PAGE.read_text())
    }
    assert told[role.value] == {action.value for action in Action if _allowed(role, action)}
