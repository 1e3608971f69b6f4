"""What we add around the stock catalogue server: mended names, health, counted requests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from dpps.services.rucio_process import PrintedLines
from dpps.services.rucio_server import MetadataGuard, NameMender, ServiceRim

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


def _echo(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("201 Created", [])
    return [environ["PATH_INFO"].encode()]


def _call(application: WSGIApplication, path: str, method: str = "GET") -> tuple[str, bytes]:
    statuses: list[str] = []

    def start_response(status: str, _headers: object, _failure: object = None) -> object:
        statuses.append(status)
        return lambda _data: None

    body = b"".join(application({"PATH_INFO": path, "REQUEST_METHOD": method}, start_response))  # type: ignore[arg-type]
    return statuses[0], body


def test_a_name_with_a_leading_slash_arrives_as_one_path() -> None:
    assert _call(NameMender(_echo), "/dids/acada//ctao/x")[1] == b"/dids/acada/ctao/x"


@pytest.mark.parametrize("scope", ["acada", "dpps", "tmp"])
def test_metadata_in_protected_scopes_are_deleted_by_nobody(scope: str) -> None:
    path = f"/dids/{scope}/ctao/{scope}/x/meta"
    status, body = _call(NameMender(MetadataGuard(_echo)), f"/{path}", "DELETE")
    assert status == "401 Unauthorized"
    assert b"AccessDenied" in body
    assert _call(MetadataGuard(_echo), path)[0] == "201 Created"


def test_metadata_elsewhere_are_the_servers_business() -> None:
    assert _call(MetadataGuard(_echo), "/dids/user.jane/x/meta", "DELETE")[0] == "201 Created"
    assert _call(MetadataGuard(_echo), "/dids/acada/x", "DELETE")[0] == "201 Created"


@given(st.text(alphabet="/ab", max_size=30))
def test_no_path_keeps_two_slashes_in_a_row(path: str) -> None:
    mended = _call(NameMender(_echo), path)[1].decode()
    assert "//" not in mended
    assert mended.replace("/", "") == path.replace("/", "")


@pytest.fixture(scope="module")
def health() -> list[str | None]:
    """What the rim's health check will say; the last entry counts."""
    return [None]


@pytest.fixture(scope="module")
def rim(health: list[str | None]) -> ServiceRim:
    return ServiceRim(_echo, lambda: health[-1], lambda: b"metrics")


def test_health_tells_the_reason(rim: ServiceRim, health: list[str | None]) -> None:
    assert _call(rim, "/healthz") == ("200 OK", b"ok\n")
    health.append("the database does not answer")
    assert _call(rim, "/healthz") == ("503 Service Unavailable", b"the database does not answer\n")


def test_everything_else_is_passed_on_and_counted(rim: ServiceRim) -> None:
    from prometheus_client import REGISTRY

    labels = {"method": "GET", "status": "201"}
    before = REGISTRY.get_sample_value("dpps_rucio_server_requests_total", labels) or 0.0
    assert _call(rim, "/ping") == ("201 Created", b"/ping")
    assert _call(rim, "/metrics") == ("200 OK", b"metrics")
    assert REGISTRY.get_sample_value("dpps_rucio_server_requests_total", labels) == before + 1


def test_what_rucio_prints_becomes_log_lines() -> None:
    with capture_logs() as lines:
        print("one\ntwo", file=(printed := PrintedLines()), end="")
        assert [line["event"] for line in lines] == ["one"]
        print(" and more\n", file=printed)
    assert [line["event"] for line in lines] == ["one", "two and more"]
