"""No text leads a storage out of its roots."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpps.adapters.storage.file_urls import FileUrls
from dpps.domain.errors import InvalidInput

ROOT = Path("/srv/dpps-never-there")
_PIECES = st.sampled_from(["/", "..", ".", "a", "//", "%2e", "localhost", "file://", str(ROOT), "\x00", "\\"])


@given(url=st.one_of(st.text(max_size=60), st.lists(_PIECES, max_size=12).map("".join)))
def test_a_url_is_refused_or_leads_below_the_root(url: str) -> None:
    try:
        path = FileUrls([ROOT]).path(url)
    except InvalidInput:
        return
    assert path.is_relative_to(ROOT)
    assert ".." not in path.parts


@given(url=st.lists(_PIECES, max_size=8).map(lambda parts: f"file://localhost{ROOT}/" + "".join(parts)))
def test_a_url_below_the_root_is_refused_or_stays_there(url: str) -> None:
    try:
        path = FileUrls([ROOT]).path(url)
    except InvalidInput:
        return
    assert path.is_relative_to(ROOT)


def test_urls_and_paths_are_inverse() -> None:
    path = ROOT / "ctao" / "dpps" / "a b+c.dat"
    assert FileUrls([ROOT]).path(FileUrls.url(path)) == path


def test_a_refusal_names_the_url_and_a_next_step() -> None:
    with pytest.raises(InvalidInput, match="elsewhere") as refused:
        FileUrls([ROOT]).path("file://elsewhere/x")
    assert refused.value.next_step
