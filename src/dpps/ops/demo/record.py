"""What happened in a demo, as plain values: the page and ``--json`` are made from these."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

__all__ = ["Copy", "DemoRecord", "Picture", "ProductRow", "Progress", "Step", "Timeline"]


@dataclass(slots=True, kw_only=True)
class Step:
    """One step of the demo, with its time and what it moved."""

    name: str
    title: str
    started: datetime
    finished: datetime | None = None
    size_bytes: int = 0
    count: int = 0
    detail: str = ""

    @property
    def seconds(self) -> float:
        """Duration in seconds; zero while the step runs."""
        return (self.finished - self.started).total_seconds() if self.finished else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a step has come."""

    step: str
    title: str
    done: int
    total: int
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """One copy of a product, and whether its bytes were read back and matched."""

    rse: str
    onsite: bool
    verified: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductRow:
    """One product at the end of the demo."""

    lfn: str
    level: str
    size_bytes: int
    adler32: str
    copies: tuple[Copy, ...]
    inputs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture for the page."""

    title: str
    caption: str
    png: bytes


@dataclass(slots=True, kw_only=True)
class DemoRecord:
    """Everything that the page shows."""

    kind: str
    """``night``, ``toy`` or ``yours``: what the input was."""
    source: str
    toy: bool = False
    """Whether the data themselves say that they are toy data, wherever they came from."""
    steps: list[Step] = field(default_factory=list)
    products: list[ProductRow] = field(default_factory=list)
    sites: list[str] = field(default_factory=list)
    jobs: list[dict[str, object]] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    directions: dict[str, object] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    science: dict[str, Any] = field(default_factory=dict)
    """Of a night: the fitted spectrum against the injected one."""

    @property
    def seconds(self) -> float:
        """From the first step's start to the last step's end, in seconds."""
        ends = [step.finished for step in self.steps if step.finished]
        return (max(ends) - self.steps[0].started).total_seconds() if ends else 0.0


class Timeline:
    """Keeps the record of steps and tells a listener how each goes on.

    Parameters
    ----------
    record : DemoRecord
        Where the steps are kept.
    listener : callable
        Called with every `Progress`.
    clock : callable, optional
        Returns the present time (UTC).
    """

    def __init__(
        self,
        record: DemoRecord,
        listener: Callable[[Progress], None],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._record = record
        self._listener = listener
        self._clock = clock

    @contextmanager
    def step(self, name: str, title: str) -> Iterator[Step]:
        """Time a step; it counts as finished only when its body ends without an error."""
        step = Step(name=name, title=title, started=self._clock())
        self._record.steps.append(step)
        self.tell(step, 0, 0, "")
        yield step
        step.finished = self._clock()
        self.tell(step, step.count, step.count, step.detail or "done")

    def tell(self, step: Step, done: int, total: int, message: str) -> None:
        """Report progress of a step."""
        self._listener(Progress(step=step.name, title=step.title, done=done, total=total, message=message))
