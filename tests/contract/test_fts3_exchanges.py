"""What FTS3's documentation shows of its REST interface holds for our server, and suffices our client."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from dpps.adapters.http.fts import FtsClient
from dpps.adapters.memory.storage import MemoryStorage
from dpps.adapters.memory.transfer_queue import MemoryTransferQueue
from dpps.data.transfers.failures import Failure, FailureClass
from dpps.data.transfers.records import FileRequest, JobRequest, Settlement
from dpps.data.transfers.states import FileState
from dpps.domain.errors import InvalidInput, NotAuthorized, NotFound, Unavailable
from dpps.services.transfers.application import build_application
from dpps.services.transfers.crew import Crew
from dpps.services.transfers.metrics import TransferMetrics
from dpps.testing.application_client import application_client
from dpps.testing.transfer_queue_contract import NOW

Exchange = dict[str, Any]

EXCHANGES: list[Exchange] = json.loads((Path(__file__).parent / "fts3" / "exchanges.json").read_text())[
    "exchanges"
]
OF_OURS = {"timeout"}
"""What our server tells beyond FTS3."""


@pytest.fixture
def queue() -> MemoryTransferQueue:
    return MemoryTransferQueue()


@pytest.fixture
def places(queue: MemoryTransferQueue) -> dict[str, str]:
    """A job with one file that failed once and waits again."""
    wanted = FileRequest(sources=("memory://a/x",), destination="memory://b/x", metadata={"name": "/ctao/x"})
    job_id = queue.submit(JobRequest(job_id=uuid4(), files=(wanted,), metadata={"issuer": "test"}), NOW)
    claim = queue.claim(1, NOW)
    assert claim is not None
    failure = Failure(kind=FailureClass.DESTINATION_FULL, reason="full")
    queue.settle(claim, Settlement(state=FileState.SUBMITTED, reason="full", failure=failure), NOW)
    return {"job": str(job_id), "file": str(claim.file_id), "name": "a b", "vo": "ctao"}


@pytest.fixture
def server(queue: MemoryTransferQueue) -> httpx.Client:
    metrics = TransferMetrics(queue, queue)
    crew = Crew(
        queue,
        queue,
        MemoryStorage(),
        prepare=lambda: None,
        workers=1,
        memory=NOW - NOW,
        record=metrics.record,
    )
    return application_client(build_application(queue, queue, queue, crew, metrics, "ctao"))


def test_the_server_answers_as_documented(server: httpx.Client, places: dict[str, str]) -> None:
    for exchange in EXCHANGES:
        if exchange["name"].startswith(("lift", "remove", "unban", "cancel")):
            continue
        _replay(server, exchange, places)
    for exchange in EXCHANGES:
        if exchange["name"].startswith(("lift", "remove", "unban", "cancel")):
            _replay(server, exchange, places)


@pytest.mark.parametrize("name", ["inbound_max_throughput", "outbound_max_throughput"])
def test_a_limit_that_cannot_be_kept_is_refused_and_nothing_is_set(server: httpx.Client, name: str) -> None:
    storage = "davs://test.example"
    refused = server.post("/config/se", json={storage: {"se_info": {"inbound_max_active": 5, name: 100.0}}})

    assert refused.status_code == 501
    assert refused.json()["status"] == "501 Not Implemented"
    assert name in refused.json()["message"]
    assert "inbound_max_active" in refused.json()["message"]
    assert server.get("/config/se").json() == {}
    for nothing in (None, 0):
        body = {storage: {"se_info": {"inbound_max_active": 5, name: nothing}}}
        assert server.post("/config/se", json=body).status_code == 200
    assert server.post("/config/se", json={storage: {"se_info": {name: -1}}}).status_code == 400


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/ban/dn"), ("POST", "/config/global"), ("GET", "/config/global")]
)
def test_what_has_no_meaning_here_is_refused_in_words(server: httpx.Client, method: str, path: str) -> None:
    refused = server.request(method, path, json={"user_dn": "/CN=x", "retry": 3})

    assert refused.status_code == 501
    assert refused.json()["message"].startswith(f"{method} {path}: ")


def test_no_user_is_banned(server: httpx.Client) -> None:
    assert server.get("/ban/dn").json() == []
    assert server.delete("/ban/dn", params={"user_dn": "/CN=x"}).status_code == 204


def _replay(server: httpx.Client, exchange: Exchange, places: dict[str, str]) -> None:
    wanted, expected = exchange["request"], exchange["response"]
    query = {"files": "file_id,file_state", "storage": "gsiftp://nowhere"}
    answer = server.request(
        wanted["method"],
        wanted["path"].format(**places),
        json=wanted.get("body"),
        params={name: query[name] for name in wanted.get("query", ()) if name in query},
    )
    assert answer.status_code == expected["status"], (exchange["name"], answer.text)
    if "body" in expected:
        found = answer.json()
        if isinstance(found, list) and isinstance(expected["body"], dict):
            (found,) = found  # FTS3 unpacks a list of one
        _same_shape(_anonymous(found), _anonymous(expected["body"]), exchange["name"])


def _same_shape(found: Any, documented: Any, where: str) -> None:
    """Check that nothing is told in another form, or under a name that FTS3 does not have."""
    if found is None or documented is None:
        return
    if isinstance(documented, dict):
        assert isinstance(found, dict), where
        assert set(found) - OF_OURS <= set(documented), where
        for key in set(found) - OF_OURS:
            _same_shape(found[key], documented[key], f"{where}.{key}")
    elif isinstance(documented, list):
        assert isinstance(found, list), where
        for one in found:
            if documented:
                _same_shape(one, documented[0], f"{where}[]")
    else:
        number = isinstance(documented, (int, float)) and not isinstance(documented, bool)
        assert isinstance(found, (int, float) if number else type(documented)), where


class Documented(httpx.MockTransport):
    """Answers what is documented and nothing else."""

    def __init__(self) -> None:
        super().__init__(self._answer)
        self.used: set[str] = set()

    def _answer(self, request: httpx.Request) -> httpx.Response:
        for exchange in EXCHANGES:
            wanted = exchange["request"]
            path = re.sub(r"\{\w+\}", "[^/]+", wanted["path"])
            raw = request.url.raw_path.decode().partition("?")[0]
            if request.method != wanted["method"] or not re.fullmatch(path, raw):
                continue
            assert set(request.url.params) <= set(wanted.get("query", ())), request.url
            if request.content:
                _same_shape(_anonymous(json.loads(request.content)), _anonymous(wanted["body"]), raw)
            self.used.add(exchange["name"])
            expected = exchange["response"]
            if "body" not in expected:
                return httpx.Response(expected["status"])
            return httpx.Response(expected["status"], json=expected["body"])
        raise AssertionError(f"{request.method} {request.url} is not documented")


def _anonymous(body: Any) -> Any:
    """Return a body with the names of storages and activities left out, which are values, not keys."""
    if isinstance(body, list):
        return [_anonymous(one) for one in body]
    if isinstance(body, dict):
        return {
            "<name>" if "://" in key or key in {"High", "Low"} else key: _anonymous(one)
            for key, one in body.items()
        }
    return body


CALLS: dict[str, Callable[[FtsClient], object]] = {
    "list jobs": lambda fts: fts.jobs(source="srm://site.es", destination="srm://site.pl", limit=5),
    "files of jobs": lambda fts: fts.files(["a40b82b7-1132-459f-a641-f8b49137a713"]),
    "retries of a file": lambda fts: fts.retries("a40b82b7", 1062),
    "cancel a job": lambda fts: fts.cancel(["a40b82b7"]),
    "limit a link": lambda fts: fts.limit_link("davs://a", "davs://b", 5),
    "list the limits of links": lambda fts: fts.link_limits(),
    "lift the limit of a link": lambda fts: fts.limit_link("davs://a", "davs://b", None),
    "limit a storage": lambda fts: fts.limit_storage("davs://a", inbound_max=5, outbound_max=None),
    "show the limits of storages": lambda fts: fts.storage_limits(),
    "share between activities": lambda fts: fts.share("ctao", "High", 3.0),
    "show the shares": lambda fts: fts.shares("ctao"),
    "remove the shares": lambda fts: fts.share("other", "High", None),
    "ban a storage": lambda fts: fts.ban("davs://a", "maintenance"),
    "list the banned storages": lambda fts: fts.bans(),
    "unban a storage": lambda fts: fts.unban("davs://a"),
}


@pytest.mark.parametrize("name", CALLS)
def test_the_client_makes_documented_calls_only(name: str) -> None:
    transport = Documented()
    with httpx.Client(base_url="https://fts.example", transport=transport) as client:
        CALLS[name](FtsClient(client))
    assert name in transport.used


def test_every_documented_exchange_is_used() -> None:
    assert {exchange["name"] for exchange in EXCHANGES} == set(CALLS)


def test_the_client_understands_what_is_documented() -> None:
    with httpx.Client(base_url="https://fts.example", transport=Documented()) as client:
        fts = FtsClient(client)
        (file,) = fts.files(["a40b82b7-1132-459f-a641-f8b49137a713"])
        assert (file.state, file.metadata["name"], file.attempts) == ("FAILED", "/ctao/x", 0)
        assert file.finished_at is not None
        assert fts.link_limits() == {("gsiftp://test.cern.ch", "gsiftp://test2.cern.ch"): 100}
        assert fts.storage_limits() == {"davs://test.example": (55, 100)}
        assert fts.shares("ctao") == {"High": 80, "Low": 5}
        (ban,) = fts.bans()
        assert (ban.storage, ban.status) == ("gsiftp://nowhere", "CANCEL")
        (retry,) = fts.retries("a40b82b7", 1062)
        assert (retry.attempt, retry.reason) == (1, "no answer")


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, InvalidInput), (403, NotAuthorized), (404, NotFound), (500, Unavailable), (503, Unavailable)],
)
def test_refusals_become_errors_that_name_the_call(status: int, error: type[Exception]) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(status, json={"message": "no such luck"}))
    with (
        httpx.Client(base_url="https://fts.example", transport=transport) as client,
        pytest.raises(error, match=r"GET /config/links.*no such luck"),
    ):
        FtsClient(client).link_limits()


def test_a_service_without_bans_says_so() -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(404, json={"message": "gone"}))
    with httpx.Client(base_url="https://fts.example", transport=transport) as client:
        fts = FtsClient(client)
        assert fts.ban("davs://a", "maintenance") is False
        assert fts.bans() == []
        fts.unban("davs://a")
        assert fts.own_rests() == []
        with pytest.raises(NotFound, match="stock FTS3"):
            fts.own_links(60)


def test_what_the_client_sets_the_server_keeps(server: httpx.Client) -> None:
    fts = FtsClient(server)
    fts.limit_link("memory://a", "memory://b", 5)
    fts.limit_storage("memory://a", inbound_max=7, outbound_max=None)
    fts.limit_storage("memory://a", inbound_max=None, outbound_max=9)
    fts.share("ctao", "User", 2)
    fts.share("ctao", "Production", 6)
    assert fts.ban("memory://c", "maintenance")
    assert fts.link_limits() == {("memory://a", "memory://b"): 5}
    assert fts.storage_limits() == {"memory://a": (7, 9)}
    assert fts.shares("ctao") == {"User": 2, "Production": 6}
    assert [(one.storage, one.message) for one in fts.bans()] == [("memory://c", "maintenance")]
    fts.unban("memory://c")
    fts.limit_link("memory://a", "memory://b", None)
    assert fts.bans() == []
    assert fts.link_limits() == {}


def test_own_figures_are_told(server: httpx.Client, places: dict[str, str]) -> None:
    fts = FtsClient(server)
    (job_id,) = fts.jobs()
    (file,) = fts.files([job_id])
    assert (job_id, file.attempts, file.reason) == (places["job"], 1, "full")
    (retry,) = fts.retries(job_id, file.file_id)
    assert retry.reason == "full"
    (link,) = fts.own_links(3600)
    assert (link.source, link.destination, link.queued) == ("memory://a", "memory://b", 1)
    (attempt,) = fts.own_attempts(name="/ctao/x")
    assert (attempt.failure, attempt.job_id) == ("destination-full", job_id)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/config/links", {}),
        ("POST", "/config/links", {"symbolicname": "x", "min_active": 5, "max_active": 1}),
        ("POST", "/config/se", {"": {}}),
        ("POST", "/config/se", {"a": {"se_info": {"inbound_max_active": -1}}}),
        ("POST", "/config/se", {"a": 5}),
        ("POST", "/config/activity_shares", {"vo": "ctao", "share": {"x": -1}}),
        ("POST", "/ban/se", {"storage": "a", "status": "MAYBE"}),
        ("GET", "/jobs?state_in=WRONG", None),
        ("GET", "/jobs?time_window=x", None),
        ("GET", "/jobs?limit=9999", None),
    ],
)
def test_wrong_settings_are_refused(server: httpx.Client, method: str, path: str, body: object) -> None:
    answer = server.request(method, path, json=body)
    assert answer.status_code == 400
    assert answer.json()["message"]
