"""Preservation and audit of one system: policy in force, evidence, catalogue, storages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from dpps.composition.instance import Endpoint, Instance, write_atomically
from dpps.composition.principals import local_principal, service_principal
from dpps.composition.rucio_accounts import connect_account
from dpps.composition.settings import read_settings
from dpps.composition.state import StateFolder
from dpps.composition.storage import build_storage
from dpps.data.audit.comparing import DarkSettings
from dpps.data.audit.damage import DamageControl
from dpps.data.audit.ports import CatalogueChanges, DatasetStates, Evidence, Findings, StorageSurvey
from dpps.data.audit.reading import Reader
from dpps.data.audit.records import AuditEvent
from dpps.data.audit.verifying import AuditSettings
from dpps.data.policy import PreservationPolicy, load_policy
from dpps.data.ports import Catalogue
from dpps.data.preservation.releasing import CopyKeeper, Releases
from dpps.domain.errors import DppsError
from dpps.domain.principals import Principal

__all__ = [
    "ArchiveConnection",
    "PolicyInForce",
    "PreservationParts",
    "PreservationSettings",
    "build_preservation",
    "install_policy",
    "policy_file",
]

_ACCOUNT = "preservation"


class PreservationSettings(BaseSettings):
    """Settings of preservation and audit, from variables ``DPPS_PRESERVATION_…``."""

    model_config = SettingsConfigDict(env_prefix="DPPS_PRESERVATION_", use_attribute_docstrings=True)

    audit_period_days: float = Field(default=90.0, gt=0)
    """Every copy is read back at least so often. Default: 90."""
    audit_bytes_per_second: float = Field(default=50e6, gt=0)
    """Mean rate at which the audit reads, over all storages, one after the other. Default: 50 MB/s."""
    proof_days: float = Field(default=7.0, gt=0)
    """Age in days up to which a reading proves a copy when others are given up. Default: 7."""
    dark_grace_hours: float = Field(default=24.0, ge=0)
    """Hours for which a file may be unknown to the catalogue before it is called dark. Default: 24."""
    survey_hours: float = Field(default=24.0, gt=0)
    """Hours between two listings of all storages. Default: 24."""
    look_hours: float = Field(default=24.0, gt=0)
    """Hours after which a dataset that has everything is looked at again. Default: 24."""
    events_days: float = Field(default=730.0, gt=0)
    """Days for which events are kept; those of files whose alarm stands stay. Default: 730."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveConnection:
    """One connection to the catalogue, in its parts."""

    catalogue: Catalogue
    changes: CatalogueChanges
    control: DamageControl
    keeper: CopyKeeper


@dataclass(frozen=True, slots=True, kw_only=True)
class PreservationParts:
    """What preservation and audit work with."""

    principal: Principal
    endpoint: Endpoint
    connect: Callable[[], ArchiveConnection]
    reader: Reader
    evidence: Evidence
    releases: Releases
    states: DatasetStates
    findings: Findings
    listing: StorageSurvey
    policy: PolicyInForce
    audit: AuditSettings
    survey_every: timedelta
    look_every: timedelta
    dark_grace: timedelta
    events_kept: timedelta
    prepare: Callable[[], None]
    """Brings the database schema up to date."""
    close: Callable[[], None]
    """Closes the connections to the database."""

    def dark(self) -> DarkSettings:
        """Return when unknown files are more than files on their way, by the policy in force."""
        lifetime = self.policy.read().temporary.lifetime
        return DarkSettings(grace=self.dark_grace, temporary_lifetime=lifetime)


class PolicyInForce:
    """The policy of a system, read anew when its file changes.

    A file that became wrong changes nothing: the last good policy stays in force, and `complaint` says why.

    Parameters
    ----------
    path : Path
        Where the policy may be installed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._policy: PreservationPolicy | None = None
        self.complaint: str | None = None
        """Why the installed file is not in force, or None."""

    def read(self) -> PreservationPolicy:
        """Return the policy in force.

        Raises
        ------
        InvalidInput
            When the installed file is wrong, and has been since we began.
        """
        seen = self._fingerprint()
        if self._policy is None or seen != self._seen:
            try:
                self._policy, self.complaint = load_policy(self._path), None
            except DppsError as wrong:
                if self._policy is None:
                    raise
                self.complaint = wrong.message
            self._seen = seen
        return self._policy

    def _fingerprint(self) -> tuple[int, int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size


def policy_file(folder: StateFolder) -> Path:
    """Return where a policy other than the packaged one is installed."""
    return folder.config / "policy.yaml"


def install_policy(folder: StateFolder, text: str) -> Path:
    """Replace the policy of a system, whole or not at all; its services notice."""
    path = policy_file(folder)
    write_atomically(path, text)
    return path


def build_preservation(
    folder: StateFolder, *, service: bool = False, report: Callable[[AuditEvent], None] | None = None
) -> PreservationParts:
    """Return the parts for the system in a state folder; touches neither database nor storage.

    Parameters
    ----------
    folder : StateFolder
        The system.
    service : bool
        Whether the service asks, rather than a person.
    report : callable, optional
        Gets what the audit finds and does.

    Raises
    ------
    NotFound, InvalidInput
        When the folder holds no system, or its description or the settings are wrong.
    """
    from dpps.adapters.sql.dataset_states import SqlDatasetStates
    from dpps.adapters.sql.engine import build_engine, migrate
    from dpps.adapters.sql.evidence import SqlEvidence
    from dpps.adapters.sql.findings import SqlFindings
    from dpps.adapters.sql.releases import SqlReleases
    from dpps.adapters.storage.survey import Survey

    settings, instance = read_settings(PreservationSettings), Instance.load(folder)
    url = instance.database(folder, "dpps")
    engine = build_engine(url, connections_max=8)
    evidence, findings = SqlEvidence(engine), SqlFindings(engine)
    storage = build_storage(folder, "preservation" if service else "owner")
    proof_age = timedelta(days=settings.proof_days)
    reader = Reader(storage=storage, evidence=evidence, proof_age_max=proof_age)
    return PreservationParts(
        principal=service_principal("preservation") if service else local_principal(folder),
        endpoint=instance.endpoint("preservation"),
        connect=lambda: _connect(folder, reader, findings, report),
        reader=reader,
        evidence=evidence,
        releases=SqlReleases(engine),
        states=SqlDatasetStates(engine),
        findings=findings,
        listing=Survey(storage, instance.vo),
        policy=PolicyInForce(policy_file(folder)),
        audit=AuditSettings(
            period=timedelta(days=settings.audit_period_days),
            bytes_per_second=settings.audit_bytes_per_second,
        ),
        survey_every=timedelta(hours=settings.survey_hours),
        look_every=timedelta(hours=settings.look_hours),
        dark_grace=timedelta(hours=settings.dark_grace_hours),
        events_kept=timedelta(days=settings.events_days),
        prepare=lambda: migrate(url),
        close=engine.dispose,
    )


def _connect(
    folder: StateFolder,
    reader: Reader,
    findings: Findings,
    report: Callable[[AuditEvent], None] | None,
) -> ArchiveConnection:
    from dpps.adapters.rucio.catalogue import RucioCatalogue
    from dpps.adapters.rucio.changes import RucioBadCopies, RucioChanges
    from dpps.adapters.rucio.copy_keeper import RucioCopyKeeper

    client = connect_account(folder, _ACCOUNT)
    bad_copies = RucioBadCopies(client)
    control = DamageControl(reader=reader, findings=findings, bad_copies=bad_copies)
    if report is not None:
        control = replace(control, report=report)
    return ArchiveConnection(
        catalogue=RucioCatalogue(client),
        changes=RucioChanges(client),
        control=control,
        keeper=RucioCopyKeeper(client),
    )
