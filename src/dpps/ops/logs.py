"""Log files of the services: their last lines, their errors, and their size."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dpps.composition.instance import Instance
from dpps.composition.state import StateFolder
from dpps.domain.errors import NotFound

__all__ = [
    "LEVELS",
    "LogLine",
    "follow_lines",
    "last_error",
    "last_lines",
    "log_files",
    "parse",
    "rotate",
    "tail",
]

LEVELS = ("debug", "info", "warning", "error", "critical")
_BLOCK_BYTES = 64 * 1024
_LARGEST_BYTES = 64 * 1024**2
_LONGEST_ERROR = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One line of a log file."""

    raw: str
    service: str
    is_json: bool = False
    time: str = ""
    level: str = ""
    """Empty for the plain lines of programs that do not write JSON."""
    event: str = ""
    extra: tuple[tuple[str, str], ...] = ()
    exception: str = ""

    def at_least(self, level: str) -> bool:
        """Tell whether the line is as severe as `level`; plain lines always are."""
        return self.level not in LEVELS or LEVELS.index(self.level) >= LEVELS.index(level)


def parse(raw: str, service: str) -> LogLine:
    """Read one line; what is not JSON stays plain text."""
    try:
        data = json.loads(raw)
    except ValueError:
        return LogLine(raw=raw, service=service, event=raw)
    if not isinstance(data, dict):
        return LogLine(raw=raw, service=service, event=raw)
    known = {"time", "level", "event", "service", "exception"}
    return LogLine(
        raw=raw,
        service=service,
        is_json=True,
        time=str(data.get("time", "")),
        level=str(data.get("level", "")),
        event=str(data.get("event", "")),
        extra=tuple((key, str(value)) for key, value in data.items() if key not in known),
        exception=str(data.get("exception", "")),
    )


def tail(path: Path, lines: int, *, since_byte: int = 0) -> list[str]:
    """Return the last lines of a file without reading all of it; none when it is absent."""
    try:
        with path.open("rb") as stream:
            position = stream.seek(0, os.SEEK_END)
            data = b""
            while position > since_byte and data.count(b"\n") <= lines:
                step = min(_BLOCK_BYTES, position - since_byte)
                position -= step
                stream.seek(position)
                data = stream.read(step) + data
    except FileNotFoundError:
        return []
    return data.decode(errors="replace").splitlines()[-lines:] if lines else []


def last_error(path: Path, *, since_byte: int = 0) -> str:
    """Return the line that best says why a service ended: its last error, else its last words."""
    lines = [parse(raw, "") for raw in tail(path, 200, since_byte=since_byte) if raw.strip()]
    for line in reversed(lines):
        if line.level in ("error", "critical"):
            ending = line.exception.strip().splitlines()[-1:]
            return ": ".join([line.event, *ending])[:_LONGEST_ERROR]
    # PostgreSQL's plain lines carry their severity inside.
    for line in reversed(lines):
        if not line.level and ("FATAL:" in line.event or "PANIC:" in line.event):
            return line.event[:_LONGEST_ERROR]
    return lines[-1].event[:_LONGEST_ERROR] if lines else ""


def rotate(path: Path) -> bool:
    """Start a log file anew when it has grown large, keeping the old one as ``….1``.

    Copied and truncated, since the service keeps the file open (for appending).
    """
    try:
        if path.stat().st_size < _LARGEST_BYTES:
            return False
    except FileNotFoundError:
        return False
    shutil.copyfile(path, path.with_name(path.name + ".1"))
    os.truncate(path, 0)
    return True


def log_files(folder: StateFolder, services: Sequence[str]) -> dict[str, Path]:
    """Return the log files of the named services, or of all, by service.

    Raises
    ------
    NotFound
        When a service has no log here.
    """
    Instance.load(folder)
    there = {path.stem: path for path in sorted(folder.logs.glob("*.log"))}
    for name in services:
        if name not in there:
            raise NotFound(
                f"there is no log of a service {name!r} in {folder.logs}",
                next_step=f"choose from: {', '.join(there) or 'nothing was started yet'}",
                service=name,
            )
    return {name: path for name, path in there.items() if not services or name in services}


def last_lines(files: Mapping[str, Path], lines: int) -> list[LogLine]:
    """Return the last lines of each file, merged by time; plain lines stay with the line before them."""
    dated: list[tuple[str, LogLine]] = []
    for service, path in files.items():
        moment = ""
        for raw in tail(path, lines):
            line = parse(raw, service)
            moment = line.time or _plain_time(raw) or moment
            dated.append((moment, line))
    return [line for _, line in sorted(dated, key=lambda pair: pair[0])]


def _plain_time(raw: str) -> str:
    """Return the time at the start of one of PostgreSQL's lines, in the form of ours; else nothing."""
    found = re.match(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d\.\d+) UTC ", raw)
    return f"{found[1]}T{found[2]}" if found else ""


def follow_lines(files: Mapping[str, Path], *, poll_seconds: float = 0.3) -> Iterator[LogLine]:
    """Yield new lines of the files for ever; notices when a file was started anew."""
    positions = {service: _size_bytes(path) for service, path in files.items()}
    while True:
        for service, path in files.items():
            if _size_bytes(path) < positions[service]:
                positions[service] = 0
            for raw, end in _complete_lines(path, positions[service]):
                positions[service] = end
                yield parse(raw, service)
        time.sleep(poll_seconds)


def _size_bytes(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _complete_lines(path: Path, position: int) -> Iterator[tuple[str, int]]:
    with path.open("rb") as stream:
        stream.seek(position)
        for line in stream:
            if not line.endswith(b"\n"):
                return
            position += len(line)
            yield line.decode(errors="replace").rstrip("\n"), position
