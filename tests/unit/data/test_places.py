from __future__ import annotations

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpps.data.query import parse_place
from dpps.domain.errors import InvalidInput

NAME = "/ctao/acada/DL0/LSTN-01/2026/TEL001_x.fits.fz"


@pytest.mark.parametrize(
    ("place", "holds", "folder", "scope"),
    [
        ("/", True, "", None),
        ("/ctao", True, "/ctao", None),
        ("/cta", False, "/cta", None),
        ("/ctao/acada/DL0/", True, "/ctao/acada/DL0", "acada"),
        ("/ctao/acada/DL", False, "/ctao/acada/DL", "acada"),
        (NAME, True, NAME, "acada"),
        ("/ctao/acada/DL0/**/TEL001*", True, "/ctao/acada/DL0", "acada"),
        ("/ctao/acada/DL0/*/TEL001*", False, "/ctao/acada/DL0", "acada"),
        ("/ctao/*/DL0/**", True, "/ctao", None),
        ("/**", True, "", None),
        ("/ctao/acada/DL0/LSTN-0[12]/20?6/*.fits.*", True, "/ctao/acada/DL0", "acada"),
        ("/ctao/acada/DL0/LSTN-0[!12]/**", False, "/ctao/acada/DL0", "acada"),
    ],
)
def test_paths_hold_what_is_below_and_patterns_what_they_match(
    place: str, holds: bool, folder: str, scope: str | None
) -> None:
    found = parse_place(place)
    assert (found.holds(NAME), found.folder, found.scope) == (holds, folder, scope)


@pytest.mark.parametrize(
    "place",
    ["", "nope", "nope/*", "/ctao/../x", "/ctao//x", "/ctao/acada/a b", "/ctao/[x", "/ctao/!", "/" + "a" *
    300, "/ctao/x%"],
)  # fmt: skip
def test_what_no_name_can_be_is_refused(place: str) -> None:
    with pytest.raises(InvalidInput, match="path or pattern") as caught:
        parse_place(place)
    assert caught.value.next_step


@given(part=st.text("ab?*[]!-", min_size=1, max_size=6), name=st.text("ab-", min_size=1, max_size=6))
def test_components_match_as_shells_do(part: str, name: str) -> None:
    try:
        place = parse_place(f"/ctao/x/{part}/z")
    except InvalidInput:
        return
    assert place.holds(f"/ctao/x/{name}/z") == ((part == "**" and False) or fnmatch.fnmatchcase(name, part))
