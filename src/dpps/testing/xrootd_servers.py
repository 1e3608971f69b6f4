"""Two XRootD servers with TLS and their credentials, without the rest of a system."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from dpps.composition.instance import Endpoint, Instance, SiteStorage
from dpps.composition.job_storage import build_job_storage, job_storage_access
from dpps.composition.state import StateFolder
from dpps.composition.storage import build_storage, storage_authority
from dpps.data.audit.ports import SurveyedStorage
from dpps.data.transfers.ports import TransferStorage
from dpps.ops import launch, ports
from dpps.ops.xrootd import ensure_server, service_name
from dpps.workload.bundle import StorageAccess
from dpps.workload.context import StorageNeeds

__all__ = ["XrootdServers"]

_SITES = {"NEAR": True, "FAR": False}
_COMPUTING = "NEAR"
_PATIENCE_SECONDS = 30.0


@dataclass
class XrootdServers:
    """Servers ``NEAR`` and ``FAR`` of a system that is nothing but storage."""

    folder: StateFolder
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def instance(self) -> Instance:
        """Description of the system."""
        return Instance.load(self.folder)

    def start_all(self) -> None:
        """Make the system and start its servers."""
        endpoints = ports.choose([service_name(rse) for rse in _SITES], [])
        sites = tuple(
            SiteStorage(
                rse=rse, onsite=onsite, country="CH", latitude_deg=46.0, longitude_deg=8.0,
                url_prefix=f"https://{endpoints[service_name(rse)].host}:{endpoints[service_name(rse)].port}",
            )
            for rse, onsite in _SITES.items()
        )  # fmt: skip
        self.folder.root.mkdir(parents=True, exist_ok=True)
        self.folder.root.chmod(0o755)
        self.folder.logs.mkdir(exist_ok=True)
        Instance(endpoints=endpoints, sites=sites, computing_storage=_COMPUTING).save(self.folder)
        for rse in _SITES:
            self.start(rse)

    def start(self, rse: str) -> None:
        """Start one server and wait until it listens."""
        endpoint = self.endpoint(rse)
        server = ensure_server(self.folder, rse, port=endpoint.port, vo="ctao")
        with self.log(rse).open("ab") as log:
            launcher = [sys.executable, "-I", "-S", launch.__file__, str(os.getpid()), "9"]
            self.processes[rse] = subprocess.Popen(
                [*launcher, server.user or "-", *server.command],
                env={**os.environ, **server.environment},
                stdout=log,
                stderr=log,
            )
        self._wait_for(endpoint, rse)

    def stop(self, rse: str) -> None:
        """End one server."""
        process = self.processes.pop(rse)
        process.kill()
        process.wait()

    def stop_all(self) -> None:
        """End all servers."""
        for rse in list(self.processes):
            self.stop(rse)

    def endpoint(self, rse: str) -> Endpoint:
        """Return the address of a server."""
        return self.instance.endpoint(service_name(rse))

    def prefix(self, rse: str, scheme: str = "https") -> str:
        """Return the URL that names of files follow."""
        endpoint = self.endpoint(rse)
        return f"{scheme}://{endpoint.host}:{endpoint.port}{'/' if scheme == 'root' else ''}"

    def log(self, rse: str) -> Path:
        """Return the log of a server."""
        return self.folder.log(service_name(rse))

    def storage(self, service: str = "transfers") -> SurveyedStorage:
        """Return access with the credential of one of our services."""
        return build_storage(self.folder, service)

    def job_storage(
        self, *, reads: tuple[str, ...], writes: str = "/ctao/tmp/p/1/1", seconds: int = 60
    ) -> TransferStorage:
        """Return access as a job has it, which computes at ``NEAR``."""
        needs = StorageNeeds(job="p.dl1.1.1", reads=reads, writes=writes, seconds=seconds)
        return build_job_storage(job_storage_access(self.folder, needs))

    def storage_of_a_stranger(
        self, token: str | None = None, *, authority: Path | None = None
    ) -> TransferStorage:
        """Return access with a given token or none, trusting a given authority."""
        trusted = (authority or storage_authority(self.folder)).read_text()
        tokens = {site.url_prefix: token or "" for site in self.instance.sites}
        return build_job_storage(StorageAccess(authority=trusted, tokens=tokens))

    def raw(self, rse: str) -> Path:
        """Return the folder where the bytes of a server lie."""
        return self.folder.storage(rse)

    def _wait_for(self, endpoint: Endpoint, rse: str) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline:
            try:
                socket.create_connection((endpoint.host, endpoint.port), 1).close()
            except OSError:
                if self.processes[rse].poll() is not None:
                    break
                time.sleep(0.02)
            else:
                return
        raise RuntimeError(f"the server {rse} does not listen:\n{self.log(rse).read_text()[-3000:]}")
