"""What travels between the workload system and a job: the bundle there, the report back.

Both are JSON of a versioned form; a worker needs nothing but the bundle, the storages that it names and
the address that it reports to.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from dpps.domain.errors import InvalidInput
from dpps.domain.work import ExitReason
from dpps.workload.definition import FileName, Resources

__all__ = [
    "BundledFile",
    "BundledInput",
    "BundledOutput",
    "JobBundle",
    "JobReport",
    "JobStart",
    "ReportedOutput",
    "StorageAccess",
    "parse_bundle",
]

LOG_TAIL_CHARACTERS = 20_000
PROVENANCE_CHARACTERS = 2_000_000
"""Of one provenance record."""
SHORT_CHARACTERS = 4_000
"""Of a name, a version, an address."""
SOFTWARE_ENTRIES = 200
REPORT_BYTES = 32 * 1024**2
"""Of a whole report, as it travels."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BundledFile(_Strict):
    """An input file and its copies."""

    lfn: str
    name: FileName
    size_bytes: int = Field(ge=0)
    adler32: str = Field(pattern=r"^[0-9a-f]{8}$")
    urls: tuple[str, ...] = Field(min_length=1)
    """Copies, the nearest first."""


class BundledInput(_Strict):
    """The files of one CWL input."""

    files: tuple[BundledFile, ...] = Field(min_length=1)
    is_list: bool
    """Whether the CWL input takes ``File[]``."""


class BundledOutput(_Strict):
    """Where one CWL output goes."""

    name: FileName
    """File name that the product will have."""
    upload_url: str
    """Temporary name of this attempt at the computing storage."""


class StorageAccess(_Strict):
    """What opens the storage servers to one attempt, from its start and for a limited time."""

    authority: str
    """Certificate of the authority that the servers must be certified by, PEM."""
    tokens: dict[str, str] = Field(min_length=1, repr=False)
    """Bearer token for each storage, by its URL prefix; each is shown to that storage only."""


class JobStart(_Strict):
    """Answer to a job that announces its start."""

    wanted: bool
    """Whether the job shall go on."""
    storage: StorageAccess | None = None
    """None where storages are folders that the worker has mounted, or the job is not wanted."""


class JobBundle(_Strict):
    """One attempt of one task, complete."""

    format: Literal[2] = 2
    job: str
    task: str
    production: str
    attempt: int = Field(ge=1)
    process: dict[str, Any]
    inputs: dict[str, BundledInput]
    parameters: dict[str, Any] = Field(default_factory=dict)
    configuration_files: dict[FileName, str] = Field(default_factory=dict)
    outputs: dict[str, BundledOutput]
    resources: Resources
    environment: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    report_url: str
    """``…/jobs/<id>``; the verbs ``/start`` and ``/report`` are below it."""
    token: str
    """Bearer token that opens this job's reports and nothing else, while the attempt lives. The answer to its
    start holds what opens storage servers: those tokens end, and a job may wait for days."""

    @property
    def needs_servers(self) -> bool:
        """Whether any file is on a storage server, which does not open without the answer to the start."""
        urls = [url for given in self.inputs.values() for file in given.files for url in file.urls]
        return any(
            not url.startswith("file:") for url in (*urls, *(o.upload_url for o in self.outputs.values()))
        )


type _Text = Annotated[str, Field(max_length=SHORT_CHARACTERS)]


class ReportedOutput(_Strict):
    """An output that was written and read back."""

    output: _Text
    name: FileName
    url: _Text
    size_bytes: int = Field(ge=0)
    adler32: str = Field(pattern=r"^[0-9a-f]{8}$")


class JobReport(_Strict):
    """What a job says when it ends."""

    format: Literal[1] = 1
    exit_reason: ExitReason
    detail: str = Field(default="", max_length=4_000)
    exit_code: int | None = None
    """Exit code of the payload's failing program, where one failed."""
    outputs: tuple[ReportedOutput, ...] = Field(default=(), max_length=1_000)
    log_tail: str = Field(default="", max_length=LOG_TAIL_CHARACTERS)
    """Last part of the payload's log."""
    started_at: datetime
    finished_at: datetime
    wall_seconds: float = Field(ge=0)
    """Duration of the payload, without transfers."""
    cpu_seconds: float = Field(default=0.0, ge=0)
    peak_memory_bytes: int = Field(default=0, ge=0)
    host: str = Field(default="", max_length=255)
    software: dict[_Text, _Text] = Field(default_factory=dict, max_length=SOFTWARE_ENTRIES)
    """Versions of the programs and libraries that made the outputs."""
    provenance: dict[_Text, Annotated[str, Field(max_length=PROVENANCE_CHARACTERS)]] = Field(
        default_factory=dict, max_length=20
    )
    """Provenance records that the payload wrote, text by name of the CWL output."""
    read_urls: dict[_Text, _Text] = Field(default_factory=dict, max_length=100_000)
    """Which copy of each input was read."""


def parse_bundle(text: str) -> JobBundle:
    """Read a bundle.

    Raises
    ------
    InvalidInput
        When it is not a complete bundle of a known form.
    """
    from pydantic import ValidationError

    try:
        return JobBundle.model_validate_json(text)
    except ValidationError as wrong:
        first = wrong.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise InvalidInput(
            f"this is not a job bundle: {place}: {first['msg']}",
            code="bundle-invalid",
            next_step="run the job with the bundle that the workload service made, unchanged",
        ) from wrong
