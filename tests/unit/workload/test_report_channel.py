"""A job's line to the workload API: patient with silence, obedient to answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from dpps.adapters.http.report_channel import HttpReportChannel
from dpps.domain.errors import DppsError, NotAuthorized, NotFound, Unavailable
from dpps.testing.work_store_contract import success

NOW = datetime(2026, 2, 14, 22, 0, tzinfo=UTC)


@contextmanager
def answering(*statuses: int) -> Iterator[tuple[str, list[tuple[str, str, dict[str, object]]]]]:
    """Answer requests with these statuses, one after the other; remember the requests."""
    seen: list[tuple[str, str, dict[str, object]]] = []
    left = list(statuses)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            seen.append((self.path, self.headers["Authorization"], body))
            answer = b'{"wanted": true}'
            self.send_response(left.pop(0))
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/jobs/j", seen
        finally:
            server.shutdown()
            thread.join()


def test_a_report_is_delivered_with_the_token() -> None:
    with answering(200) as (url, seen):
        assert HttpReportChannel(url, "secret").finish(success())
    ((path, authorization, body),) = seen
    assert (path, authorization) == ("/jobs/j/report", "Bearer secret")
    assert body["exit_reason"] == "finished"


def test_a_service_that_stumbles_is_asked_again() -> None:
    pauses: list[float] = []
    with answering(503, 500, 200) as (url, seen):
        assert HttpReportChannel(url, "t", pause=pauses.append).finish(success())
    assert len(seen) == 3
    assert len(pauses) == 2
    assert pauses[0] < pauses[1]


def test_a_service_that_is_away_is_given_up_in_the_end() -> None:
    channel = HttpReportChannel("http://127.0.0.1:1/jobs/j", "t", patience_seconds=0.0)
    with pytest.raises(Unavailable, match="did not take the report"):
        channel.finish(success())


@pytest.mark.parametrize(("status", "error"), [(403, NotAuthorized), (404, NotFound)])
def test_a_refusal_is_final(status: int, error: type[DppsError]) -> None:
    with answering(status) as (url, seen), pytest.raises(error, match=str(status)):
        HttpReportChannel(url, "t").start("host", NOW)
    assert len(seen) == 1
