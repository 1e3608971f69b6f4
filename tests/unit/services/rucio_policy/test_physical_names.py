"""The way back from a physical name to the file of which it was made."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dpps.services.rucio_policy import pfn2lfn


@given(path=st.text(alphabet="/ab", max_size=12), name=st.text(alphabet="ab", max_size=4))
def test_any_physical_name_leads_to_a_name_and_a_scope(path: str, name: str) -> None:
    lfn, scope = pfn2lfn({"path": path, "name": name})
    assert lfn == path + name
    assert scope == [*lfn.split("/"), "", "", ""][2]


def test_a_file_at_the_root_of_a_storage_is_of_no_scope() -> None:
    assert pfn2lfn({"path": "/", "name": "x"}) == ("/x", "")
