"""Following a production on a terminal."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

from dpps.domain.work import is_final
from dpps.workload.progress import production_status

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from dpps.domain.principals import Principal
    from dpps.workload.ports import WorkStore
    from dpps.workload.progress import ProductionStatus

__all__ = ["follow"]

_LOOK_SECONDS = 10.0
"""The store tells of changes; this is only for the case that it cannot."""


def follow(principal: Principal, store: WorkStore, name: str, *, quiet: bool) -> ProductionStatus:
    """Show progress on standard error until a production has ended; return its last state.

    Raises
    ------
    NotFound
        When there is no such production.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    changed = threading.Event()
    end_listening = store.listen(changed.set)
    columns = [
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
    ]
    shown = not quiet and sys.stderr.isatty()
    bars: dict[str, TaskID] = {}
    try:
        with Progress(*columns, console=Console(stderr=True), disable=not shown) as progress:
            while True:
                changed.clear()
                answer = production_status(principal, store, name)
                _update(progress, bars, answer)
                if is_final(answer.production.state):
                    return answer
                changed.wait(_LOOK_SECONDS)
    finally:
        end_listening()


def _update(progress: Progress, bars: dict[str, TaskID], answer: ProductionStatus) -> None:
    for step in answer.transformations:
        if step.name not in bars:
            bars[step.name] = progress.add_task(step.name, total=None, note="")
        total = sum(step.tasks.values())
        over = step.tasks.get("done", 0) + step.tasks.get("failed", 0)
        note = f"{step.state.value}: {step.waits_for}" if step.waits_for else step.state.value
        progress.update(bars[step.name], completed=over, total=total or None, note=note)
