"""What the ingest service refused is read as the service tells it.

``HandoverLedger`` has this one implementation: nobody needs another.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from dpps.adapters.http.refusals import HttpHandoverLedger
from dpps.data.why.observations import Refusal
from dpps.domain.errors import Unavailable

type Answering = Callable[[int, str], str]


@pytest.fixture
def answering() -> Iterator[Answering]:
    """Return what makes a service that answers so, and tells its address."""
    servers: list[HTTPServer] = []

    def start(status: int, body: str) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status if self.path == "/refused" else 404)
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, format: str, *arguments: object) -> None:
                """Log nothing."""

        server = HTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01), daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_every_refusal_is_told_with_its_reason(answering: Answering) -> None:
    # As `HandoverWork.refusals` writes them.
    error = Unavailable(
        "no room on site",
        code="storage-full",
        next_step="make room",
        path="/handover/a",
        lfn="/ctao/acada/DL0/a",
    )
    waiting = {"path": "/handover/a", "quarantine": None, **error.as_dict()}
    quarantined = {
        "path": "/handover/b", "quarantine": "/handover/quarantine/b", "code": "file-empty",
        "message": "it is empty", "next_step": "hand it over again", "retryable": False, "identifiers": {},
    }  # fmt: skip
    ledger = HttpHandoverLedger(answering(200, json.dumps([waiting, quarantined])), Path("/handover"))
    assert ledger.refusals() == [
        Refusal(
            path="/handover/a", handed="a", code="storage-full", message="no room on site",
            next_step="make room", retryable=error.retryable, lfn="/ctao/acada/DL0/a",
        ),
        Refusal(
            path="/handover/b", handed="b", code="file-empty", message="it is empty",
            next_step="hand it over again", retryable=False,
        ),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("status", "body"), [(503, "[]"), (200, "<html>"), (200, "[{}]"), (200, "[1]"), (200, "7")]
)
def test_what_is_no_answer_of_the_service_is_none(answering: Answering, status: int, body: str) -> None:
    with pytest.raises(Unavailable, match="the ingest service does not answer"):
        HttpHandoverLedger(answering(status, body), Path("/handover")).refusals()


def test_a_service_that_is_away_is_said_to_be_away() -> None:
    with pytest.raises(Unavailable, match="the ingest service does not answer"):
        HttpHandoverLedger("http://127.0.0.1:9", Path("/handover")).refusals()
