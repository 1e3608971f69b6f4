"""The transfer service as its clients and its supervisor see it."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from uuid import uuid4

import pytest
from pydantic import JsonValue

from dpps.testing.postgresql import PostgresqlCluster, postgresql_cluster
from dpps.testing.transfer_service import TransferService, new_transfer_service

__all__ = ["postgresql_cluster"]

pytestmark = pytest.mark.postgresql

File = dict[str, JsonValue]


@pytest.fixture(scope="module")
def running(
    postgresql_cluster: PostgresqlCluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TransferService]:
    with new_transfer_service(postgresql_cluster, tmp_path_factory.mktemp("transfers")) as service:
        service.start()
        service.await_ready()
        yield service


@pytest.fixture
def service(running: TransferService) -> TransferService:
    running.empty()
    return running


def _file(service: TransferService, name: str, data: bytes, **values: JsonValue) -> File:
    file: File = {
        "sources": [service.place("ONE", name, data)],
        "destinations": [service.file_url("TWO", name)],
        "checksum": f"ADLER32:{zlib.adler32(data):08x}",
        "filesize": len(data),
        "metadata": {"request_id": uuid4().hex},
    }
    return file | values


def _only_file(job: dict[str, JsonValue]) -> dict[str, JsonValue]:
    files = job["files"]
    assert isinstance(files, list)
    (file,) = files
    assert isinstance(file, dict)
    return file


def test_files_are_moved_and_verified(service: TransferService) -> None:
    contents = {f"ctao/dpps/{index}.dat": bytes([index]) * 100_000 for index in range(20)}
    files = [_file(service, name, data) for name, data in contents.items()]

    job = service.await_final(service.submit(*files, verify_checksum="both", overwrite=True))

    assert job["job_state"] == "FINISHED"
    assert {name: service.path("TWO", name).read_bytes() for name in contents} == contents
    assert service.everything("TWO") == set(contents)


def test_the_figures_count_what_was_moved(service: TransferService) -> None:
    before = _figures(service)
    service.await_final(service.submit(_file(service, "counted.dat", b"x" * 1000)))
    after = _figures(service)

    def grown(name: str) -> float:
        names = [one for one in after if one == name or one.startswith(name + "{")]
        return sum(after[one] - before.get(one, 0.0) for one in names)

    assert grown('dpps_transfers_files_total{state="FINISHED"}') == 1
    assert grown("dpps_transfers_bytes_total") == 1000
    assert grown("dpps_transfers_attempt_seconds_count") == 1
    assert after["dpps_transfers_waiting_files"] == 0


def _figures(service: TransferService) -> dict[str, float]:
    lines = service.ask("GET", "/metrics", caller=None).text.splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


def test_a_flipped_byte_at_the_source_arrives_nowhere(service: TransferService) -> None:
    file = _file(service, "ctao/dpps/a.dat", b"good bytes")
    service.place("ONE", "ctao/dpps/a.dat", b"good byteS")

    job = service.await_final(service.submit(file, verify_checksum="both", overwrite=True))

    assert job["job_state"] == "FAILED"
    assert "SOURCE CHECKSUM MISMATCH" in str(_only_file(job)["reason"])
    assert service.everything("TWO") == set()


def test_other_content_at_the_destination_stays_without_overwrite(service: TransferService) -> None:
    service.place("TWO", "ctao/dpps/a.dat", b"theirs")
    file = _file(service, "ctao/dpps/a.dat", b"ours")

    job = service.await_final(service.submit(file, verify_checksum="both", overwrite=False))

    reported = _only_file(job)
    assert "Destination file exists and overwrite is not enabled" in str(reported["reason"])
    metadata = reported["file_metadata"]
    assert isinstance(metadata, dict)
    assert metadata["dst_file"] == {
        "file_size": 6,
        "checksum_type": "ADLER32",
        "checksum_value": f"{zlib.adler32(b'theirs'):08x}",
    }
    assert service.path("TWO", "ctao/dpps/a.dat").read_bytes() == b"theirs"

    again = service.await_final(service.submit(file, verify_checksum="both", overwrite=True))
    assert again["job_state"] == "FINISHED"
    assert service.path("TWO", "ctao/dpps/a.dat").read_bytes() == b"ours"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"sources": ["root://elsewhere//a"]}, "file://"),
        ({"sources": ["file://localhost/etc/passwd"]}, "outside"),
        ({"destinations": ["file://localhost/tmp/../etc/x"]}, "'..'"),
        ({"checksum": "MD5:00"}, "ADLER32"),
    ],
)
def test_what_is_not_supported_fails_with_its_reason(
    service: TransferService, values: File, words: str
) -> None:
    job = service.await_final(
        service.submit(_file(service, "a.dat", b"x", **values), verify_checksum="both", overwrite=True)
    )

    assert job["job_state"] == "FAILED"
    assert words in str(_only_file(job)["reason"])
    assert service.everything("TWO") == set()


def test_another_source_is_used_when_the_first_has_lost_the_file(service: TransferService) -> None:
    good = service.place("ONE", "b.dat", b"bytes")
    sources: JsonValue = [service.file_url("ONE", "lost.dat"), good]

    job = service.await_final(service.submit(_file(service, "a.dat", b"bytes", sources=sources)))

    assert (job["job_state"], job["job_type"]) == ("FINISHED", "R")
    assert _only_file(job)["source_surl"] == good


def test_a_submission_whose_answer_was_lost_may_be_repeated(
    service: TransferService,
) -> None:
    file = _file(service, "a.dat", b"bytes")
    parameters: dict[str, JsonValue] = {"id_generator": "deterministic", "sid": "request-1"}

    first = service.submit(file, **parameters)
    assert service.submit(file, **parameters) == first
    service.await_final(first)
    assert service.submit(file, **parameters) == first
    service.call("POST", "/jobs", {"files": [file | {"filesize": 1}], "params": parameters}, status=409)


@pytest.mark.parametrize(
    "body", [None, [], {"files": []}, {"files": [{"sources": ["a"]}]}, {"files": "x"}, {"params": {}}]
)
def test_a_wrong_submission_is_refused_like_fts_does(service: TransferService, body: JsonValue) -> None:
    answer = service.call("POST", "/jobs", body, status=400)
    assert isinstance(answer, dict)
    assert answer["status"] == "400 Bad Request"
    assert answer["message"]


def test_unknown_things_are_not_found(service: TransferService) -> None:
    unknown = str(uuid4())
    service.call("GET", f"/jobs/{unknown}", status=404)
    service.call("GET", f"/jobs/{unknown}/files", status=404)
    service.call("DELETE", f"/jobs/{unknown}", status=404)
    service.call("POST", f"/jobs/{unknown}", {"params": {"priority": 3}}, status=404)
    service.call("GET", "/no/such/path", status=404)
    listed = service.call("GET", f"/jobs/{unknown},not-an-id?files=file_state", status=404)
    assert isinstance(listed, list)
    assert [answer["http_status"] for answer in listed if isinstance(answer, dict)] == ["404 Not Found"] * 2
    known = service.submit(_file(service, "a.dat", b"x"))
    assert isinstance(service.call("GET", f"/jobs/{known},{unknown}?files=file_state", status=207), list)


def test_the_interface_is_described(service: TransferService) -> None:
    description = service.call("GET", "/openapi.json")
    assert isinstance(description, dict)
    paths = description["paths"]
    assert isinstance(paths, dict)
    assert {"/jobs", "/jobs/{job_ids}", "/whoami", "/healthz"} <= set(paths)
