from __future__ import annotations

import pytest

from dpps.data.lineage import Direction, trace
from dpps.domain.errors import NotAuthorized, NotFound
from dpps.domain.names import Lfn
from dpps.domain.principals import Principal
from tests.unit.data.conftest import Archive
from tests.unit.data.products import add_product

DL0, DL1, DL2, IRF, DL3 = (Lfn(f"/ctao/dpps/{name}/p001/{name}.fits") for name in ("a", "b", "c", "d", "e"))
LOST = "/ctao/dpps/lost/p001/x.fits"
RECORD = '{"activity": {"name": "calibrate"}, "software": {"ctapipe": "0.30"}}'


@pytest.fixture(autouse=True)
def family(archive: Archive) -> None:
    add_product(archive, DL0, b"0")
    add_product(archive, DL1, b"1", {"dpps__inputs": [DL0.name, LOST], "dpps__provenance": RECORD})
    add_product(archive, DL2, b"2", {"dpps__inputs": [DL1.name], "dpps__production": "night-2"})
    add_product(archive, IRF, b"i", {"dpps__inputs": [DL1.name, "not a name"], "dpps__provenance": "["})
    add_product(archive, DL3, b"3", {"dpps__inputs": [DL2.name, IRF.name]})


def test_up_to_the_raw_data_with_what_is_missing(archive: Archive) -> None:
    found = trace(archive.principal, archive.catalogue, DL3.name, Direction.UP)
    assert found.complete
    assert {name for name, node in found.nodes.items() if not node.known} == {LOST, "not a name"}
    assert found.relations[DL3.name] == (DL2.name, IRF.name)
    assert found.relations[DL1.name] == (DL0.name, LOST)
    assert found.relations[DL0.name] == ()
    assert (found.nodes[DL1.name].activity, found.nodes[DL1.name].software) == ("calibrate", "ctapipe 0.30")
    assert found.nodes[DL2.name].production == "night-2"


def test_down_to_whatever_used_it(archive: Archive) -> None:
    found = trace(archive.principal, archive.catalogue, DL0.name, Direction.DOWN)
    assert set(found.nodes) == {DL0.name, DL1.name, DL2.name, IRF.name, DL3.name}
    assert found.relations[DL1.name] == (DL2.name, IRF.name)
    assert found.complete


def test_the_depth_is_limited_and_that_is_told(archive: Archive) -> None:
    found = trace(archive.principal, archive.catalogue, DL3.name, Direction.UP, depth=1)
    assert set(found.nodes) == {DL3.name, DL2.name, IRF.name}
    assert not found.complete


def test_a_circle_ends(archive: Archive) -> None:
    one, other = Lfn("/ctao/dpps/x/p001/1"), Lfn("/ctao/dpps/x/p001/2")
    add_product(archive, one, b"1", {"dpps__inputs": [other.name]})
    add_product(archive, other, b"2", {"dpps__inputs": [one.name]})
    found = trace(archive.principal, archive.catalogue, one.name, Direction.UP)
    assert found.relations == {one.name: (other.name,), other.name: (one.name,)}


def test_unknown_files_and_strangers_are_refused(archive: Archive) -> None:
    with pytest.raises(NotFound):
        trace(archive.principal, archive.catalogue, "/ctao/dpps/none/x", Direction.UP)
    with pytest.raises(NotAuthorized):
        trace(Principal(name="x", roles=frozenset()), archive.catalogue, DL0.name, Direction.UP)
