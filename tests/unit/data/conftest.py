from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dpps.adapters.eventio.simtel import SimtelInspector
from dpps.adapters.memory.catalogue import MemoryCatalogue
from dpps.adapters.memory.releases import MemoryCopyKeeper, MemoryReleases
from dpps.adapters.memory.storage import MemoryStorage
from dpps.adapters.zfits.inspector import ZfitsInspector
from dpps.data.ingest.passes import ingest_pass
from dpps.data.ingest.values import IngestedFile, IngestSettings
from dpps.data.policy import PreservationPolicy, load_policy
from dpps.data.ports import RuleState
from dpps.domain.files import ReplicaState
from dpps.domain.names import Lfn
from dpps.domain.principals import Principal, Role
from dpps.testing.storages import storage_element


@dataclass
class Archive:
    """An archive in memory, and a hand-over folder."""

    catalogue: MemoryCatalogue
    storage: MemoryStorage
    policy: PreservationPolicy
    handover: Path
    principal: Principal
    releases: MemoryReleases = field(default_factory=MemoryReleases)

    def __post_init__(self) -> None:
        self.keeper = MemoryCopyKeeper(self.catalogue.locked)

    def url(self, rse: str, lfn: Lfn) -> str:
        return f"memory://{rse}{lfn}"

    def ingest(self, **options: object) -> list[IngestedFile]:
        settings = IngestSettings(handover=self.handover, vo="ctao", **options)  # type: ignore[arg-type]
        return ingest_pass(
            self.principal,
            self.catalogue,
            self.storage,
            [ZfitsInspector(), SimtelInspector()],
            self.policy,
            settings,
        )

    def replicate(self, lfn: Lfn, *rses: str) -> None:
        """Copy a file off site, as the transfers would."""
        for rse in rses:
            self.storage.files[self.url(rse, lfn)] = self.storage.files[self.url("CTAO-NORTH", lfn)]
            self.catalogue.set_replica(lfn, rse, ReplicaState.AVAILABLE)

    def fulfil_rules(self) -> None:
        """Let the catalogue say that all rules are fulfilled, as its daemons would."""
        for dataset in self.catalogue.datasets():
            for rule in self.catalogue.rules(dataset):
                self.catalogue.set_rule_state(rule.rule_id, RuleState.OK)


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    handover = tmp_path / "handover"
    handover.mkdir()
    sites = ("CTAO-NORTH", "CTAO-SOUTH", "CSCS", "PIC", "FRASCATI")
    return Archive(
        catalogue=MemoryCatalogue([storage_element(rse, f"memory://{rse}") for rse in sites]),
        storage=MemoryStorage(),
        policy=load_policy(),
        handover=handover,
        principal=Principal(name="test", roles=frozenset(Role)),
    )
