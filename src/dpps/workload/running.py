"""Running one job on a worker: fetch, process, write, report. Knows its bundle and nothing else."""

from __future__ import annotations

import base64
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog

from dpps.data.ports import Storage
from dpps.domain.errors import DppsError, Unavailable
from dpps.domain.files import FileContent
from dpps.domain.work import ExitReason
from dpps.workload.bundle import (
    LOG_TAIL_CHARACTERS,
    PROVENANCE_CHARACTERS,
    SHORT_CHARACTERS,
    SOFTWARE_ENTRIES,
    BundledFile,
    JobBundle,
    JobReport,
    JobStart,
    ReportedOutput,
    StorageAccess,
)
from dpps.workload.ports import ProcessOrder, ProcessOutcome, ProcessRunner, ReportChannel
from dpps.workload.provenance import PROVENANCE_OUTPUT, join_records, payload_name, software_in
from dpps.workload.stopping import SANDBOXES, stop_file

__all__ = ["WorkerTools", "environment_folders", "run_job"]

_ENVIRONMENTS = "DPPS_ENVIRONMENTS"
_CORE = "core"
UNREPORTED = "unreported"
"""Version of a payload that writes no provenance record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerTools:
    """What a worker has."""

    open_storage: Callable[[StorageAccess | None], Storage]
    """Give access to storages, with what the answer to the start says."""
    runner: ProcessRunner
    channel: ReportChannel
    clock: Callable[[], datetime]


@dataclass
class _Progress:
    """What is known of a job while it runs; whatever happens, the report is made of it."""

    started_at: datetime
    outcome: ProcessOutcome | None = None
    outputs: list[ReportedOutput] = field(default_factory=list)
    read_urls: dict[str, str] = field(default_factory=dict)


class _Failure(Exception):
    def __init__(self, reason: ExitReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def run_job(bundle: JobBundle, tools: WorkerTools) -> JobReport | None:
    """Run a job to its end and report.

    Returns
    -------
    JobReport or None
        What was reported; None when the workload system did not want the job any more.

    Raises
    ------
    Unavailable
        When the report could not be delivered: what was written is removed, and the workload system will
        make another attempt. Also when the start could not be announced, where storages are servers.
    """
    log = structlog.get_logger(__name__).bind(job=bundle.job)
    start = _announce(bundle, tools)
    if not start.wanted:
        log.warning("the job is not wanted any more")
        return None
    storage = tools.open_storage(start.storage)
    progress = _Progress(started_at=tools.clock())
    sandbox = Path(tempfile.mkdtemp(prefix="dpps-job-", dir=os.environ.get(SANDBOXES)))
    try:
        reason, detail = _attempt(bundle, tools.runner, storage, sandbox, progress)
        report = _report(progress, bundle.process, reason, detail, tools.clock())
    finally:
        shutil.rmtree(sandbox, ignore_errors=True)
    log.info("job ended", exit_reason=report.exit_reason.value, detail=report.detail)
    try:
        wanted = tools.channel.finish(report)
    except DppsError:
        _remove(progress, storage)
        raise
    if not wanted:
        _remove(progress, storage)
    return report


def _announce(bundle: JobBundle, tools: WorkerTools) -> JobStart:
    try:
        return tools.channel.start(platform.node(), tools.clock())
    except Unavailable as silent:
        if bundle.needs_servers:
            raise  # nothing could be read or written without the tokens of the answer
        # The announcement is a courtesy; the report at the end is what counts.
        structlog.get_logger(__name__).warning("start not announced", job=bundle.job, error=silent.message)
        return JobStart(wanted=True)


def _attempt(
    bundle: JobBundle, runner: ProcessRunner, storage: Storage, sandbox: Path, progress: _Progress
) -> tuple[ExitReason, str]:
    try:
        folders = environment_folders(bundle.environment)
        values = _stage_in(bundle, storage, sandbox, progress)
        progress.outcome = runner.run(
            ProcessOrder(
                process=bundle.process,
                values=values,
                outputs=tuple(bundle.outputs),
                sandbox=_folder(sandbox / "process"),
                program_folders=folders,
                memory_bytes=bundle.resources.memory_bytes,
                wall_seconds=bundle.resources.wall_seconds,
                stop_file=_stop_file(bundle.job),
            )
        )
        if progress.outcome.exit_reason is not ExitReason.FINISHED:
            return progress.outcome.exit_reason, progress.outcome.detail
        progress.outcome = _with_joined_records(progress.outcome, _folder(sandbox / "provenance"))
        _check_provenance(bundle, progress.outcome)
        _stage_out(bundle, storage, progress.outcome, progress)
    except _Failure as failure:
        return failure.reason, failure.detail
    return ExitReason.FINISHED, ""


def _stop_file(job: str) -> Path | None:
    """Return the file by which an engine of this machine can end the job; none without such an engine."""
    sandboxes = os.environ.get(SANDBOXES)
    return None if sandboxes is None else stop_file(Path(sandboxes), job)


def _folder(path: Path) -> Path:
    path.mkdir(parents=True)
    return path


def environment_folders(name: str) -> tuple[Path, ...]:
    """Return the program folders of an environment on this worker.

    ``DPPS_ENVIRONMENTS`` names the folder that holds environments; without it they are looked for beside
    the core environment. The environment ``core`` is that of this program.
    """
    own = Path(sys.prefix)
    if name == _CORE:
        return (own / "bin",)
    named = os.environ.get(_ENVIRONMENTS)
    homes = [Path(named)] if named else [own.parent / ".envs", own.parent]
    for home in homes:
        if (home / name / "bin").is_dir():
            return (home / name / "bin", own / "bin")
    places = " or ".join(str(home / name) for home in homes)
    raise _Failure(
        ExitReason.ENVIRONMENT,
        f"the worker has no environment {name!r} in {places}; make it, or set {_ENVIRONMENTS}",
    )


def _stage_in(bundle: JobBundle, storage: Storage, sandbox: Path, progress: _Progress) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, given in bundle.inputs.items():
        files = []
        for number, file in enumerate(given.files):
            path = _folder(sandbox / "inputs" / name / str(number)) / file.name
            progress.read_urls[file.lfn] = _fetch(file, storage, path)
            files.append({"class": "File", "path": str(path)})
        values[name] = files if given.is_list else files[0]
    configuration = _folder(sandbox / "configuration")
    for file_name, content in bundle.configuration_files.items():
        (configuration / file_name).write_bytes(base64.b64decode(content, validate=True))
    for name, value in bundle.parameters.items():
        values[name] = _with_paths(value, configuration)
    return values


def _with_paths(value: object, folder: Path) -> object:
    """Return a parameter whose configuration files lie in a folder."""
    if isinstance(value, list):
        return [_with_paths(item, folder) for item in value]
    if isinstance(value, Mapping) and value.get("class") == "File":
        return {"class": "File", "path": str(folder / Path(str(value["location"])).name)}
    return value


def _fetch(file: BundledFile, storage: Storage, path: Path) -> str:
    """Copy an input from its nearest good copy; return which that was."""
    wanted = FileContent(size_bytes=file.size_bytes, adler32=file.adler32)
    failures: list[str] = []
    for url in file.urls:
        try:
            found = storage.download(url, path)
        except DppsError as error:
            failures.append(error.message)
            continue
        if found == wanted:
            return url
        failures.append(
            f"{url} gave {found.size_bytes} bytes with adler32 {found.adler32}, "
            f"wanted are {wanted.size_bytes} bytes with adler32 {wanted.adler32}"
        )
    raise _Failure(ExitReason.INPUT, f"{file.lfn} cannot be fetched: {'; '.join(failures)}")


def _stage_out(bundle: JobBundle, storage: Storage, outcome: ProcessOutcome, progress: _Progress) -> None:
    for output, place in bundle.outputs.items():
        path = outcome.outputs.get(output)
        if path is None:
            raise _Failure(ExitReason.FAILED, f"the process gave no file for the output {output!r}")
        try:
            content = storage.upload(path, place.upload_url)
        except (DppsError, OSError) as error:
            raise _Failure(ExitReason.OUTPUT, f"{place.upload_url} cannot be written: {error}") from error
        progress.outputs.append(
            ReportedOutput(
                output=output,
                name=place.name,
                url=place.upload_url,
                size_bytes=content.size_bytes,
                adler32=content.adler32,
            )
        )


def _report(
    progress: _Progress, process: Mapping[str, Any], reason: ExitReason, detail: str, now: datetime
) -> JobReport:
    outcome = progress.outcome
    if outcome is None:
        return JobReport(
            exit_reason=reason,
            detail=detail[:4000],
            started_at=progress.started_at,
            finished_at=now,
            wall_seconds=0.0,
            host=platform.node()[:255],
            read_urls=progress.read_urls,
        )
    provenance = _provenance(outcome)
    return JobReport(
        exit_reason=reason,
        detail=detail[:4000],
        exit_code=outcome.exit_code,
        outputs=tuple(progress.outputs) if reason is ExitReason.FINISHED else (),
        log_tail=_tail(outcome.log),
        started_at=progress.started_at,
        finished_at=now,
        wall_seconds=outcome.wall_seconds,
        cpu_seconds=outcome.cpu_seconds,
        peak_memory_bytes=outcome.peak_memory_bytes,
        host=platform.node()[:255],
        software=_fitting(
            {
                **(software_in(provenance.values()) or {payload_name(process): UNREPORTED}),
                **outcome.software,
            }
        ),
        provenance=provenance,
        read_urls=progress.read_urls,
    )


def _tail(log: Path) -> str:
    with log.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, size - 4 * LOG_TAIL_CHARACTERS))
        return (
            stream.read()
            .decode(errors="replace")
            .replace("\x00", "\N{REPLACEMENT CHARACTER}")[-LOG_TAIL_CHARACTERS:]
        )


def _fitting(software: Mapping[str, str]) -> dict[str, str]:
    """Return versions as a report may hold them; those that made the outputs come first, and stay."""
    kept = list(software.items())[:SOFTWARE_ENTRIES]
    return {name[:SHORT_CHARACTERS]: version[:SHORT_CHARACTERS] for name, version in kept}


def _with_joined_records(outcome: ProcessOutcome, folder: Path) -> ProcessOutcome:
    """Return the outcome with each list of provenance records as one file: one product, one report."""
    joined = {
        output: join_records(paths, folder / f"{output}.json")
        for output, paths in outcome.file_lists.items()
        if PROVENANCE_OUTPUT in output
    }
    return replace(outcome, outputs={**outcome.outputs, **joined})


def _check_provenance(bundle: JobBundle, outcome: ProcessOutcome) -> None:
    """See that every record is kept: as a product, or with the job where it fits."""
    for output, path in outcome.outputs.items():
        size_bytes = path.stat().st_size
        if (
            PROVENANCE_OUTPUT in output
            and output not in bundle.outputs
            and size_bytes > PROVENANCE_CHARACTERS
        ):
            raise _Failure(
                ExitReason.FAILED,
                f"the provenance record {output!r} has {size_bytes} bytes, at most {PROVENANCE_CHARACTERS} "
                "fit with a job: let the production publish it, under 'outputs'",
            )


def _provenance(outcome: ProcessOutcome) -> dict[str, str]:
    found: dict[str, str] = {}
    for output, path in outcome.outputs.items():
        if PROVENANCE_OUTPUT in output and path.stat().st_size <= PROVENANCE_CHARACTERS:
            found[output] = path.read_text(errors="replace").replace("\x00", "\N{REPLACEMENT CHARACTER}")
    return found


def _remove(progress: _Progress, storage: Storage) -> None:
    for output in progress.outputs:
        storage.delete(output.url)
