"""What a run is told as: JSON for programs, Markdown for people."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

from dpps.testing.faults.watching import Violation

__all__ = ["FaultRecord", "Report"]

_SHOWN = 10


@dataclass(slots=True)
class FaultRecord:
    """One injected fault."""

    number: int
    kind: str
    target: str
    at_seconds: float
    """Since the bed began, as all times here."""
    done: str = ""
    skipped: str = ""
    """Why it was not injected."""
    healed_at_seconds: float | None = None
    over_seconds: float | None = None
    """From healing until the victim was well: the service answers, the file is safe or in quarantine."""
    caught_up_seconds: float | None = None
    """From healing until every file accepted before had the good off-site copies that the policy asks for."""


@dataclass(slots=True)
class Report:
    """One run."""

    seed: int
    seconds: float
    """How long faults were injected."""
    command: str
    versions: dict[str, str]
    rights: dict[str, str]
    """What this machine let the bed do, and what not."""
    faults: list[FaultRecord] = field(default_factory=list)
    files: dict[str, int] = field(default_factory=dict)
    reads: dict[str, int] = field(default_factory=dict)
    checks: dict[str, int] = field(default_factory=dict)
    violations: list[Violation] = field(default_factory=list)
    settled_seconds: float | None = None
    """From the last fault's end until all was as the policy asks for."""
    patience_seconds: float = 0.0

    @property
    def good(self) -> bool:
        """Whether every invariant held."""
        return not self.violations

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Write ``fault-run.json`` and ``fault-run.md``; return where."""
        folder.mkdir(parents=True, exist_ok=True)
        machine, people = folder / "fault-run.json", folder / "fault-run.md"
        machine.write_text(json.dumps({"good": self.good, **asdict(self)}, indent=1) + "\n")
        people.write_text(self.text())
        return machine, people

    def text(self) -> str:
        """Return the run for people."""
        lines = [f"# Fault run, seed {self.seed}: {'every invariant held' if self.good else 'BROKEN'}", ""]
        lines += [f"`{self.command}`", ""]
        lines += [f"- {name}: {value}" for name, value in {**self.versions, **self.rights}.items()]
        lines += ["", *self._summary(), "", "## Invariants", "", *self._invariants(), ""]
        lines += ["## Faults by kind", "", *self._kinds(), "", "## Time line", "", *self._time_line(), ""]
        return "\n".join(lines)

    def _summary(self) -> list[str]:
        settled = "never" if self.settled_seconds is None else f"after {self.settled_seconds:.0f} s"
        done = [one for one in self.faults if not one.skipped]
        files = ", ".join(f"{number} {what}" for what, number in self.files.items())
        reads = ", ".join(f"{number} {what}" for what, number in self.reads.items())
        return [
            f"{len(done)} faults in {self.seconds:.0f} s. Files: {files}. Reads: {reads}. All as the policy "
            f"asks {settled} (stated time: {self.patience_seconds:.0f} s)."
        ]

    def _invariants(self) -> list[str]:
        broken = Counter(one.invariant for one in self.violations)
        lines = ["| invariant | checks | broken |", "|---|---:|---:|"]
        for name in sorted({*self.checks, *broken}):
            lines.append(f"| {name} | {self.checks.get(name, 0)} | {broken[name]} |")
        if self.violations:
            lines += ["", "Broken:", ""]
            lines += [
                f"- {one.at_seconds:.0f} s: {one.invariant}: `{one.subject}`: {one.detail}"
                for one in self.violations
            ]
        return lines

    def _kinds(self) -> list[str]:
        lines = [
            "| fault | victim | injected | skipped | well again, longest (s) | caught up, longest (s) |",
            "|---|---|---:|---:|---:|---:|",
        ]
        for kind, target in sorted({(one.kind, one.target) for one in self.faults}):
            of_kind = [one for one in self.faults if (one.kind, one.target) == (kind, target)]
            done = [one for one in of_kind if not one.skipped]
            over, caught = (
                _longest([one.over_seconds for one in done]),
                _longest([one.caught_up_seconds for one in done]),
            )
            lines.append(
                f"| {kind} | {target} | {len(done)} | {len(of_kind) - len(done)} | {over} | {caught} |"
            )
        return lines

    def _time_line(self) -> list[str]:
        lines = [
            "| s | fault | victim | what | well again (s) | caught up (s) |",
            "|---:|---|---|---|---:|---:|",
        ]
        for one in self.faults:
            what = f"skipped: {one.skipped}" if one.skipped else one.done
            over, caught = _seconds(one.over_seconds), _seconds(one.caught_up_seconds)
            lines.append(f"| {one.at_seconds:.1f} | {one.kind} | {one.target} | {what} | {over} | {caught} |")
        return lines


def _longest(seconds: list[float | None]) -> str:
    known = [one for one in seconds if one is not None]
    if not seconds:
        return ""
    return _seconds(max(known)) if len(known) == len(seconds) else "never"


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"
