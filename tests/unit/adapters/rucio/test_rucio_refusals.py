"""What Rucio refuses for one file or dataset is the answer for that one alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from rucio.common.exception import AccessDenied, DatabaseException, InvalidObject

from dpps.adapters.rucio.catalogue import RucioCatalogue
from dpps.data.ports import Registration
from dpps.domain.errors import InvalidInput, NotAuthorized, Unavailable
from dpps.domain.files import FileContent
from dpps.domain.names import Lfn

Entries = Sequence[Mapping[str, Any]]


class RefusingClient:
    """Takes everything but what the test forbids; refuses calls as a whole, as the server does."""

    def __init__(self) -> None:
        self.known: dict[str, Mapping[str, Any]] = {}
        self.calls = 0
        self.closed_datasets: set[str] = set()
        self.closed_folders: set[str] = set()
        self.odd_files: set[str] = set()
        self.down = False

    def get_metadata_bulk(self, dids: Entries) -> list[Mapping[str, Any]]:
        return [self.known[one["name"]] for one in dids if one["name"] in self.known]

    def add_did(self, _scope: str, name: str, kind: str) -> None:
        if name in self.closed_datasets:
            raise AccessDenied(name)
        self.known[name] = {"name": name, "did_type": kind}

    def attach_dids_to_dids(self, _attachments: Entries, *, ignore_duplicate: bool) -> None:
        assert ignore_duplicate

    def list_rses(self) -> Entries:
        return [{"rse": "CTAO-NORTH"}]

    def list_rse_attributes(self, _rse: str) -> Mapping[str, str]:
        return {"ONSITE": "True"}

    def get_protocols(self, _rse: str) -> Entries:
        return []

    def add_replicas(self, _rse: str, files: Entries) -> None:
        self.calls += 1
        names = [str(one["name"]) for one in files]
        if self.down:
            raise DatabaseException("down")
        if any(name.rpartition("/")[0] in self.closed_folders for name in names):
            raise AccessDenied(str(names))
        if self.odd_files.intersection(names):
            raise InvalidObject(str(names))
        self.known |= {
            one["name"]: {
                "name": one["name"], "did_type": "FILE", "bytes": one["bytes"], "adler32": one["adler32"],
            }
            for one in files
        }  # fmt: skip

    def set_dids_metadata_bulk(self, dids: Entries) -> None:
        assert all(one["name"] in self.known for one in dids)


@pytest.fixture
def client() -> RefusingClient:
    return RefusingClient()


def files(folder: str, count: int) -> list[Registration]:
    return [
        Registration(
            lfn=Lfn(f"{folder}/{number}.dat"),
            rse="CTAO-NORTH",
            content=FileContent(size_bytes=1, adler32="00000001"),
            metadata={"dpps__schema": 1},
            dataset=folder,
        )
        for number in range(count)
    ]


HERE, THERE = "/ctao/acada/here", "/ctao/acada/there"


def test_a_dataset_that_may_not_be_made_does_not_hinder_others(client: RefusingClient) -> None:
    client.closed_datasets.add(THERE)
    outcomes = RucioCatalogue(client).register([*files(HERE, 2), *files(THERE, 2)])
    assert [one.error is None for one in outcomes] == [True, True, False, False]
    assert isinstance(outcomes[3].error, NotAuthorized)
    assert f"{THERE}/0.dat" not in client.known


def test_files_of_a_folder_that_is_closed_do_not_hinder_others(client: RefusingClient) -> None:
    client.closed_folders.add(THERE)
    outcomes = RucioCatalogue(client).register([*files(HERE, 50), *files(THERE, 50)])
    assert [one.error is None for one in outcomes] == [True] * 50 + [False] * 50
    assert all(isinstance(one.error, NotAuthorized) for one in outcomes[50:])
    assert client.calls == 3


def test_one_file_that_is_refused_does_not_hinder_others(client: RefusingClient) -> None:
    client.odd_files.add(f"{HERE}/6.dat")
    outcomes = RucioCatalogue(client).register(files(HERE, 9))
    assert [number for number, one in enumerate(outcomes) if one.error is not None] == [6]
    assert isinstance(outcomes[6].error, InvalidInput)
    assert f"{HERE}/6.dat" not in client.known
    assert f"{HERE}/8.dat" in client.known


def test_an_outage_is_not_the_answer_of_a_file(client: RefusingClient) -> None:
    client.down = True
    with pytest.raises(Unavailable):
        RucioCatalogue(client).register(files(HERE, 9))
    assert client.calls == 1
