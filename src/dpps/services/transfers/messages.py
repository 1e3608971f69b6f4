"""The messages of FTS3's REST interface that this service understands and sends.

Field names are FTS3's. Unknown parameters are accepted and ignored, as FTS3 adds some with every release.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "FileAnswer",
    "FileMessage",
    "JobAnswer",
    "JobParameters",
    "PriorityMessage",
    "Refusal",
    "Submission",
    "SubmissionAnswer",
    "Version",
    "WhoAmI",
]

Url = Annotated[str, Field(min_length=1, max_length=4000)]


class FileMessage(BaseModel):
    """One file of a submission."""

    model_config = ConfigDict(extra="ignore")

    sources: list[Url] = Field(min_length=1, max_length=100)
    destinations: list[Url] = Field(min_length=1, max_length=1)
    metadata: dict[str, Any] | None = None
    filesize: int | None = Field(default=None, ge=0)
    checksum: str | None = Field(default=None, max_length=200)
    activity: str | None = Field(default=None, max_length=200)


class JobParameters(BaseModel):
    """Parameters of a submission."""

    model_config = ConfigDict(extra="ignore")

    overwrite: bool | None = None
    verify_checksum: bool | Literal["both", "source", "target", "none"] | None = None
    priority: int | None = None
    job_metadata: dict[str, Any] | None = None
    multihop: bool = False
    id_generator: Literal["standard", "deterministic"] = "standard"
    sid: str | None = Field(default=None, min_length=1, max_length=200)


class Submission(BaseModel):
    """Body of ``POST /jobs``."""

    model_config = ConfigDict(extra="ignore")

    files: list[FileMessage] = Field(min_length=1, max_length=2000)
    params: JobParameters = Field(default_factory=JobParameters)


class SubmissionAnswer(BaseModel):
    """The id of the job, new or earlier."""

    job_id: str


class _Priority(BaseModel):
    priority: int = Field(ge=1, le=5)


class PriorityMessage(BaseModel):
    """Body of ``POST /jobs/<id>``."""

    params: _Priority


class FileAnswer(BaseModel):
    """State of one file; times are UTC, ``YYYY-MM-DDThh:mm:ss``."""

    file_id: int
    file_index: int
    job_id: str
    file_state: str
    source_surl: str
    dest_surl: str
    reason: str | None
    start_time: str | None
    finish_time: str | None
    staging_start: str | None = None
    staging_finished: str | None = None
    tx_duration: float | None
    retry: int
    """Attempts so far."""
    user_filesize: int | None
    filesize: int | None
    """Bytes found at the destination."""
    checksum: str | None
    dpps_due_time: str | None = None
    """When it is tried next, for a file that waits; FTS3 does not tell."""
    file_metadata: dict[str, Any]
    """The client's own, with ``dst_file`` where something was found at the destination."""


class JobAnswer(BaseModel):
    """State of one job."""

    http_status: str
    job_id: str
    http_message: str | None = None
    job_state: str | None = None
    job_type: str | None = None
    job_metadata: dict[str, Any] | None = None
    priority: int | None = None
    submit_time: str | None = None
    job_finished: str | None = None
    reason: str | None = None
    files: list[dict[str, Any]] | None = None


class WhoAmI(BaseModel):
    """Who the service takes the caller for."""

    base_id: str
    vos: list[str]
    user_dn: str
    delegation_id: str
    method: str
    is_root: bool = False
    roles: list[str] = []
    level: dict[str, str] = {}


class _Number(BaseModel):
    major: int
    minor: int
    patch: int


class Version(BaseModel):
    """What this service is, and which interface it speaks."""

    service: str = "dpps transfers"
    api: _Number = _Number(major=3, minor=12, patch=0)


class Refusal(BaseModel):
    """Body of every answer that is an error, as FTS3 words it."""

    status: str
    message: str
