"""A workload system for tests: storages in a folder, and the parts that a test gives.

The agent, planning, publishing, CWL and storage are the real ones.
"""

from __future__ import annotations

import socket
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dpps.composition.job_storage import build_job_storage
from dpps.composition.principals import service_principal
from dpps.composition.tokens import TokenIssuer
from dpps.composition.workload import build_processes
from dpps.data.named_datasets import NamedDatasets
from dpps.data.policy import load_policy
from dpps.data.ports import Catalogue, Registration, StorageElement
from dpps.domain.files import FileContent, MetadataValue
from dpps.domain.names import Lfn
from dpps.domain.principals import Principal, Role
from dpps.testing.storages import storage_element
from dpps.workload.agent import Agent
from dpps.workload.context import WorkloadContext
from dpps.workload.planning import Plan, PlanningParts
from dpps.workload.ports import Engine, WorkStore
from dpps.workload.production_file import read_production
from dpps.workload.submission import submit_production

__all__ = [
    "COMPUTING_STORAGE",
    "COPY",
    "SmallWorkload",
    "copy_production",
    "endless_production",
    "serving",
    "simulated",
    "small_storages",
]

COMPUTING_STORAGE = "CSCS"
_RSES = ("CTAO-NORTH", "CSCS", "PIC")
_KEY = "a signing key for tests, long enough for HMAC"

COPY = """
cwlVersion: v1.2
class: CommandLineTool
label: copies a file, with a line added
requirements:
  InlineJavascriptRequirement: {}
baseCommand: [sh, -c]
arguments:
  - 'echo copying; cat "$0" > "$1" && echo "$3" >> "$1"; exit "$2"'
  - $(inputs.source.path)
  - $(inputs.copy_filename)
  - ${ return inputs.exit_code; }
  - $(inputs.line)
inputs:
  source: File
  copy_filename: string
  line: string
  exit_code: {type: int, default: 0}
outputs:
  copy: {type: File, outputBinding: {glob: $(inputs.copy_filename)}}
"""
"""A CWL tool that needs nothing but a shell."""


_ENDLESS = """
cwlVersion: v1.2
class: CommandLineTool
baseCommand: [sh, -c]
arguments: ['echo begun; exec sleep 100']
inputs: {source: File, copy_filename: string}
outputs: {copy: {type: File, outputBinding: {glob: $(inputs.copy_filename)}}}
"""


def simulated(obs_id: int) -> dict[str, MetadataValue]:
    """Return the metadata of a file of simulated events."""
    return {
        "data__level": "SIM",
        "instance__obs_id": obs_id,
        "instance__site_id": "CTAO-North",
        "instance__facility_name": "Simulated-CTAO",
        "instance__particle_pdgid": 22,
        "instance__messenger": "photon",
        "simulation__production_name": "test",
        "simulation__node__zenith": 20.0,
        "simulation__node__azimuth": 180.0,
        "simulation__node__nsb_factor": 1.0,
    }


def copy_production(folder: Path, *, name: str = "night", exit_code: int = 0, extra: str = "") -> Path:
    """Write a production of two linked copying steps; return its file."""
    (folder / "copy.cwl").write_text(COPY)
    path = folder / f"{name}.yaml"
    path.write_text(
        f"""
production: {name}
transformations:
  - name: dl1
    cwl: copy.cwl
    environment: core
    inputs: {{source: {{query: "data__level = 'SIM'"}}}}
    parameters: {{line: first, exit_code: {exit_code}}}
    outputs: {{copy: {{product: DL1/Event/Subarray/AirShower}}}}
    {extra}
  - name: dl2
    cwl: copy.cwl
    environment: core
    inputs: {{source: {{from: dl1.copy}}}}
    parameters: {{line: second}}
    outputs: {{copy: {{product: DL2/Event/Subarray/AirShower}}}}
"""
    )
    return path


def endless_production(folder: Path, *, name: str = "endless") -> Path:
    """Write a production of one step that takes minutes unless it is ended; return its file."""
    (folder / "endless.cwl").write_text(_ENDLESS)
    path = folder / f"{name}.yaml"
    path.write_text(
        f"""
production: {name}
transformations:
  - name: dl1
    cwl: endless.cwl
    environment: core
    inputs: {{source: {{query: "data__level = 'SIM'"}}}}
    outputs: {{copy: {{product: DL1/Event/Subarray/AirShower}}}}
"""
    )
    return path


def small_storages(folder: Path) -> list[StorageElement]:
    """Return the storages of a small system."""
    return [storage_element(rse, _prefix(folder, rse)) for rse in _RSES]


def _prefix(folder: Path, rse: str) -> str:
    return f"file://localhost{folder}/storage/{rse}"


@dataclass(kw_only=True)
class SmallWorkload:
    """One system below a folder."""

    folder: Path
    catalogue: Catalogue
    """An empty one that knows `small_storages`."""
    datasets: NamedDatasets
    store: WorkStore
    engine: Engine
    report_base_url: str = "http://127.0.0.1:1"
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def __post_init__(self) -> None:
        self.storage = build_job_storage()
        self.processes = build_processes()
        self.tokens = TokenIssuer(_KEY, self.clock)
        self.manager = Principal(name="alice", roles=frozenset({Role.PRODUCTION_MANAGER}))
        self.context = WorkloadContext(
            principal=service_principal("workload"),
            store=self.store,
            engine=self.engine,
            processes=self.processes,
            catalogue=self.catalogue,
            datasets=self.datasets,
            storage=self.storage,
            policy=load_policy,
            vo="ctao",
            computing_storage=COMPUTING_STORAGE,
            report_base_url=self.report_base_url,
            issue_token=self.tokens.for_job,
            clock=self.clock,
        )
        self.agent = Agent(self.context)

    def url(self, rse: str, lfn: str) -> str:
        """Return the physical URL of a name at a storage."""
        return _prefix(self.folder, rse) + lfn

    def path(self, rse: str, lfn: str) -> Path:
        """Return where a name lies at a storage."""
        return Path(f"{self.folder}/storage/{rse}{lfn}")

    def archive(
        self, name: str, data: bytes, metadata: Mapping[str, MetadataValue], *, rse: str = "CSCS"
    ) -> Lfn:
        """Put a file into the archive; return its LFN."""
        lfn = Lfn(f"/ctao/dpps/SIM/{name}")
        path = self.path(rse, lfn.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        content = FileContent(size_bytes=len(data), adler32=f"{zlib.adler32(data):08x}")
        registration = Registration(lfn=lfn, rse=rse, content=content, metadata=metadata, dataset=lfn.parent)
        (outcome,) = self.catalogue.register([registration])
        assert outcome.error is None
        self.catalogue.attach(lfn.parent, [lfn])
        return lfn

    def submit(self, path: Path) -> Plan:
        """Submit a production file."""
        definition, pass_is_given = read_production(path, self.processes)
        return submit_production(
            self.manager,
            self.store,
            PlanningParts(catalogue=self.catalogue, datasets=self.datasets, processes=self.processes),
            definition,
            pass_is_given=pass_is_given,
            vo="ctao",
            now=self.clock(),
        )

    def stored_files(self) -> list[str]:
        """Return the names of all files at all storages, without the storage's name."""
        top = self.folder / "storage"
        return sorted(
            "/" + "/".join(path.relative_to(top).parts[1:]) for path in top.rglob("*") if path.is_file()
        )


@contextmanager
def serving(application: object, port: int) -> Iterator[None]:
    """Serve an ASGI application on a port of this machine while the block runs."""
    import uvicorn

    server = uvicorn.Server(
        uvicorn.Config(application, log_config=None, access_log=False)  # type: ignore[arg-type]
    )
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
