"""The stock FTS3 transfer tool of Rucio, its own code, is a client of the transfer service."""

from __future__ import annotations

import json
import os
import subprocess
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from dpps.testing.postgresql import postgresql_cluster
from dpps.testing.transfer_service import TransferService, transfer_service

__all__ = ["postgresql_cluster", "transfer_service"]

pytestmark = [pytest.mark.postgresql, pytest.mark.rucio]

REPOSITORY = Path(__file__).parents[2]
PYTHON = REPOSITORY / ".envs" / "rucio" / "bin" / "python"


@dataclass
class StockTool:
    """The tool in a process of the rucio environment, one command at a time."""

    process: subprocess.Popen[str]

    def ask(self, do: str, **values: Any) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"do": do} | values) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "the tool ended; its error is above"
        return json.loads(line)


@pytest.fixture
def tool(transfer_service: TransferService, tmp_path: Path) -> Iterator[StockTool]:
    if not PYTHON.exists():
        pytest.skip("the rucio environment is missing: make setup")
    transfer_service.start()
    transfer_service.await_ready()
    settings = tmp_path / "rucio.cfg"
    settings.write_text(
        "[common]\nlogdir = /tmp\nmailtemplatedir = /tmp\n[database]\ndefault = sqlite://\n"
        "[cache]\nenabled = false\n[policy]\npermission = generic\n"
        f"[conveyor]\nusercert = {transfer_service.folder.credential('rucio-daemons')}\n"
    )
    script = Path(__file__).with_name("stock_transfertool.py")
    process = subprocess.Popen(
        [str(PYTHON), str(script), transfer_service.url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"RUCIO_CONFIG": str(settings)},
    )
    yield StockTool(process)
    process.communicate()


def _wanted(service: TransferService, name: str, data: bytes) -> dict[str, Any]:
    return {
        "source": service.place("ONE", name, data),
        "destination": service.file_url("TWO", name),
        "bytes": len(data),
        "adler32": f"{zlib.adler32(data):08x}",
        "request_id": uuid4().hex,
    }


def _only(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    (status,) = answer.values()
    assert isinstance(status, dict)
    return status


def test_it_submits_follows_cancels_and_prioritises(
    tool: StockTool, transfer_service: TransferService
) -> None:
    service = transfer_service
    files = [_wanted(service, f"{index}.dat", bytes([index]) * 1000) for index in range(3)]
    requests = [file["request_id"] for file in files]

    job_id = tool.ask("submit", files=files)
    assert tool.ask("submit", files=files) == job_id, "its deterministic id is ours"
    service.await_final(job_id)

    statuses = tool.ask("status", job=job_id, requests=requests)
    assert {request: status["state"] for request, status in statuses.items()} == dict.fromkeys(
        requests, "DONE"
    )
    assert all(status["started"] <= status["transferred"] for status in statuses.values())
    assert service.path("TWO", "2.dat").read_bytes() == b"\x02" * 1000

    assert tool.ask("prioritise", job=job_id, priority=5)["priority"] == 5
    assert tool.ask("cancel", job=job_id)["job_state"] == "FINISHED"
    (summary,) = tool.ask("query", job=job_id, details=False)
    assert summary["job_state"] == "FINISHED"
    assert len(tool.ask("query", job=job_id, details=True)) == 3
    assert tool.ask("status", job=str(uuid4()), requests=[]) == {"lost": True}
    identity = tool.ask("whoami")
    assert identity["whoami"]["vos"] == ["ctao"]
    assert identity["whoami"]["user_dn"] == "/O=dpps/CN=rucio-daemons"
    assert identity["version"]["api"]["major"] == 3


def test_it_learns_why_a_transfer_failed(tool: StockTool, transfer_service: TransferService) -> None:
    service = transfer_service
    file = _wanted(service, "a.dat", b"good") | {"adler32": "0000dead"}

    job_id = tool.ask("submit", files=[file])
    service.await_final(job_id)

    status = _only(tool.ask("status", job=job_id, requests=[file["request_id"]]))
    assert status["state"] == "FAILED"
    assert "SOURCE CHECKSUM MISMATCH" in status["error"]
    assert service.everything("TWO") == set()
