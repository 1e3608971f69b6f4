from __future__ import annotations

import zlib
from dataclasses import replace
from typing import Any

import pytest

from dpps.data.ports import RegistrationOutcome
from dpps.data.publishing import ProductToPublish, publish
from dpps.data.query import EVERYTHING
from dpps.domain.errors import Conflict, DamagedFile, InvalidInput, NotAuthorized, NotFound, Unavailable
from dpps.domain.files import FileContent
from dpps.domain.names import Lfn
from dpps.domain.principals import Principal, Role
from tests.unit.data.conftest import Archive

FINAL = Lfn("/ctao/dpps/DataPipe/DL1/p001/one.h5")


def product(
    archive: Archive, lfn: Lfn = FINAL, data: bytes = b"events", attempt: int = 1
) -> ProductToPublish:
    url = f"memory://CSCS/ctao/tmp/production/{attempt}/{lfn.basename}"
    archive.storage.files[url] = data
    return ProductToPublish(
        temporary_url=url,
        lfn=lfn,
        rse="CSCS",
        content=FileContent(size_bytes=len(data), adler32=f"{zlib.adler32(data):08x}"),
        metadata={"dpps__schema": 1, "data__level": "DL1"},
        dataset=lfn.parent,
    )


def run(archive: Archive, *products: ProductToPublish) -> list[RegistrationOutcome]:
    return publish(archive.principal, archive.catalogue, archive.storage, archive.policy, products)


def test_a_product_moves_to_its_name_and_becomes_visible(archive: Archive) -> None:
    (outcome,) = run(archive, product(archive))
    assert (outcome.created, outcome.error) == (True, None)
    assert archive.storage.files == {archive.url("CSCS", FINAL): b"events"}
    assert archive.catalogue.find(EVERYTHING) == [FINAL]
    assert [rule.copies for rule in archive.catalogue.rules(FINAL.parent)] == [1, 2]


@pytest.mark.parametrize("step", ["rename", "read_back", "register", "ensure_rule", "attach"])
def test_dying_at_any_step_leaves_what_a_repetition_finishes(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    wanted = product(archive)

    def die(*_: object) -> Any:
        raise Unavailable("killed here")

    with monkeypatch.context() as patch:
        patch.setattr(archive.storage if step in ("rename", "read_back") else archive.catalogue, step, die)
        with pytest.raises(Unavailable):
            run(archive, wanted)
    assert archive.catalogue.find(EVERYTHING) == []
    (outcome,) = run(archive, wanted)
    assert outcome.error is None
    assert archive.catalogue.find(EVERYTHING) == [FINAL]
    assert archive.storage.files == {archive.url("CSCS", FINAL): b"events"}


def test_repeating_publishes_nothing_twice_and_revives_no_freed_copy(archive: Archive) -> None:
    wanted = product(archive)
    run(archive, wanted)
    archive.storage.delete(archive.url("CSCS", FINAL))
    archive.catalogue.remove_replica(FINAL, "CSCS")
    (outcome,) = run(archive, wanted)
    assert (outcome.created, outcome.error) == (False, None)
    (file,) = archive.catalogue.files([FINAL])
    assert file is not None
    assert file.replicas == ()


def test_a_name_is_never_reused(archive: Archive) -> None:
    run(archive, product(archive))
    other = product(archive, data=b"other events", attempt=2)
    (outcome,) = run(archive, other)
    assert isinstance(outcome.error, Conflict)
    assert archive.storage.files[archive.url("CSCS", FINAL)] == b"events"
    assert archive.storage.files[other.temporary_url] == b"other events"


def test_two_products_of_one_call_with_one_name(archive: Archive) -> None:
    first, second = product(archive), product(archive, data=b"other events", attempt=2)
    outcomes = run(archive, first, second)
    assert outcomes[0].error is None
    assert isinstance(outcomes[1].error, Conflict)
    assert archive.storage.files[archive.url("CSCS", FINAL)] == b"events"


def test_each_product_has_its_own_outcome(archive: Archive) -> None:
    good = product(archive)
    lying = replace(
        product(archive, Lfn(f"{FINAL.parent}/two.h5")), content=FileContent(size_bytes=1, adler32="00000001")
    )
    lost = product(archive, Lfn(f"{FINAL.parent}/three.h5"))
    archive.storage.delete(lost.temporary_url)
    nowhere = replace(product(archive, Lfn(f"{FINAL.parent}/four.h5")), rse="NOWHERE")
    outcomes = run(archive, lying, good, lost, nowhere)
    assert [type(outcome.error) for outcome in outcomes] == [DamagedFile, type(None), NotFound, InvalidInput]
    assert archive.catalogue.find(EVERYTHING) == [FINAL]


def test_damaged_bytes_never_get_the_final_name(archive: Archive) -> None:
    wanted = product(archive)
    archive.storage.files[wanted.temporary_url] = b"evenTs"
    (outcome,) = run(archive, wanted)
    assert isinstance(outcome.error, DamagedFile)
    assert archive.url("CSCS", FINAL) not in archive.storage.files
    (again,) = run(archive, product(archive, attempt=2))
    assert again.error is None, "the name is free for the next attempt"


def test_the_principal_must_be_allowed(archive: Archive) -> None:
    archive.principal = Principal(name="guest", roles=frozenset({Role.READER}))
    with pytest.raises(NotAuthorized):
        run(archive, product(archive))
