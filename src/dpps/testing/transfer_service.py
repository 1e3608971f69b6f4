"""A transfer service in a process of its own, on a throw-away database and two storage elements."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from pydantic import JsonValue

from dpps.composition.encryption import client_context
from dpps.composition.instance import Endpoint, Instance, SiteStorage
from dpps.composition.state import StateFolder
from dpps.ops.credentials import write_credentials
from dpps.testing.postgresql import PostgresqlCluster, free_port

__all__ = ["TransferService", "new_transfer_service", "transfer_service"]

_WAIT_SECONDS = 60
_FINAL = {"FINISHED", "FINISHEDDIRTY", "FAILED", "CANCELED"}


@dataclass
class TransferService:
    """Starts, stops and kills the service; talks to it over HTTP."""

    folder: StateFolder
    port: int
    command: tuple[str, ...] = (sys.executable, "-m", "dpps.services.transfers")
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def url(self) -> str:
        """Address of the service."""
        return f"https://127.0.0.1:{self.port}"

    def ask(
        self, method: str, path: str, *, caller: str | None = "operator", json: JsonValue = None
    ) -> httpx.Response:
        """Call the service as the holder of a certificate, or as nobody."""
        with httpx.Client(verify=client_context(self.folder, caller), trust_env=False) as client:
            return client.request(method, self.url + path, json=json, timeout=_WAIT_SECONDS)

    def start(self, **variables: str) -> None:
        """Start the process; does not wait."""
        log = self.folder.log("transfers")
        log.parent.mkdir(exist_ok=True)
        with log.open("ab") as stream:
            self.process = subprocess.Popen(
                [*self.command, "--state", str(self.folder.root)],
                stdout=stream,
                stderr=stream,
                env=os.environ | variables,
            )

    def await_ready(self) -> None:
        """Wait until the service says that it moves files."""
        self.await_health(200)

    def await_health(self, status: int) -> str:
        """Wait for an answer of the health check; return its body."""
        end = time.monotonic() + _WAIT_SECONDS
        while time.monotonic() < end:
            assert self.process is not None
            assert self.process.poll() is None, self.folder.log("transfers").read_text()
            try:
                answer = self.ask("GET", "/healthz", caller=None)
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.status_code == status:
                return answer.text
            time.sleep(0.05)
        raise AssertionError(self.folder.log("transfers").read_text())

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(_WAIT_SECONDS)

    def call(self, method: str, path: str, json: JsonValue = None, status: int = 200) -> JsonValue:
        """Call the service and return its answer, which must have this status."""
        answer = self.ask(method, path, json=json)
        assert answer.status_code == status, answer.text
        body: JsonValue = answer.json()
        return body

    def submit(self, *files: Mapping[str, JsonValue], **parameters: JsonValue) -> str:
        """Submit files and return the id of the job."""
        body = self.call("POST", "/jobs", {"files": [dict(file) for file in files], "params": parameters})
        assert isinstance(body, dict)
        return str(body["job_id"])

    def await_final(self, job_id: str) -> dict[str, JsonValue]:
        """Wait until a job is final and return it with its files."""
        end = time.monotonic() + 2 * _WAIT_SECONDS
        while True:
            answer = self.call("GET", f"/jobs/{job_id}?files=")
            assert isinstance(answer, list)
            (job,) = answer
            assert isinstance(job, dict)
            if job["job_state"] in _FINAL:
                return job
            assert time.monotonic() < end, (job, self.folder.log("transfers").read_text())
            time.sleep(0.02)

    def path(self, rse: str, name: str) -> Path:
        """Return the path of a file at a storage element."""
        return self.folder.storage(rse) / name

    def place(self, rse: str, name: str, data: bytes) -> str:
        """Put a file there by plain means; return its URL."""
        path = self.path(rse, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return self.file_url(rse, name)

    def file_url(self, rse: str, name: str) -> str:
        """Return the URL of a name at a storage element."""
        return f"file://localhost{self.path(rse, name)}"

    def empty(self) -> None:
        """Remove all files from the storage elements."""
        for rse in ("ONE", "TWO"):
            shutil.rmtree(self.folder.storage(rse))
            self.folder.storage(rse).mkdir()

    def everything(self, rse: str) -> set[str]:
        """Return the names of all files at a storage element, temporary ones too."""
        top = self.folder.storage(rse)
        return {str(path.relative_to(top)) for path in top.rglob("*") if path.is_file()}


@contextmanager
def new_transfer_service(cluster: PostgresqlCluster, folder: Path) -> Iterator[TransferService]:
    """Give a service that is not started yet, with the storage elements ``ONE`` and ``TWO``."""
    state = StateFolder(folder / "state")
    state.ensure_secret("postgres")
    service = TransferService(state, free_port())
    Instance(
        # The program asks for the database `dpps`: an address that ends in another name proves that too.
        database_url=cluster.url("another"),
        endpoints={"transfers": Endpoint(port=service.port, scheme="https")},
        sites=tuple(_site(state, rse) for rse in ("ONE", "TWO")),
    ).save(state)
    write_credentials(state)
    cluster.create("dpps")
    try:
        yield service
    finally:
        if service.process is not None:
            service.stop(signal.SIGKILL)
        cluster.drop("dpps")


@pytest.fixture
def transfer_service(postgresql_cluster: PostgresqlCluster, tmp_path: Path) -> Iterator[TransferService]:
    """A service of one test, not started yet."""
    with new_transfer_service(postgresql_cluster, tmp_path) as service:
        yield service


def _site(folder: StateFolder, rse: str) -> SiteStorage:
    folder.storage(rse).mkdir(parents=True)
    return SiteStorage(
        rse=rse,
        onsite=False,
        country="DE",
        latitude_deg=0.0,
        longitude_deg=0.0,
        url_prefix=f"file://localhost{folder.storage(rse)}",
    )
