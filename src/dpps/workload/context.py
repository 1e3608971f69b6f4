"""What the use cases of the agent work with: who it is, its ports, and where things are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from dpps.data.named_datasets import NamedDatasets
from dpps.data.policy import PreservationPolicy
from dpps.data.ports import Catalogue, Storage
from dpps.domain.principals import Principal
from dpps.workload.bundle import StorageAccess
from dpps.workload.ports import Engine, Processes, WorkStore

__all__ = ["StorageNeeds", "WorkloadContext"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageNeeds:
    """What one attempt does at storages."""

    job: str
    reads: tuple[str, ...]
    """Folders of its inputs, as paths that begin with the VO."""
    writes: str
    """Folder of its outputs at the computing storage, as such a path."""
    seconds: int
    """How long it may need them."""


def _no_servers(needs: StorageNeeds) -> StorageAccess | None:
    """Storages are folders, which need no credential."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadContext:
    """Ports and settings of one workload system."""

    principal: Principal
    """On whose behalf the agent reads and publishes."""
    store: WorkStore
    engine: Engine
    processes: Processes
    catalogue: Catalogue
    datasets: NamedDatasets
    storage: Storage
    policy: Callable[[], PreservationPolicy]
    """Returns the policy in force, which may change while the service runs."""
    vo: str
    computing_storage: str
    """RSE near to where jobs run; their outputs are written there."""
    report_base_url: str
    """Address of the workload API, as workers reach it."""
    issue_token: Callable[[str], str]
    """Make a token with which a job may report while its attempt lives."""
    storage_access: Callable[[StorageNeeds], StorageAccess | None] = _no_servers
    """Make what opens storage servers to a job; None where storages are folders."""
    clock: Callable[[], datetime]
