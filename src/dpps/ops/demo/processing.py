"""The production of the demo: submitted once, followed to its end, told in rows."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

import dpps
from dpps.composition.instance import Instance
from dpps.composition.principals import local_principal
from dpps.composition.state import StateFolder
from dpps.composition.workload import (
    build_processes,
    open_planning,
    utc_now,
)
from dpps.domain.errors import Conflict, DppsError, NotFound
from dpps.domain.work import ProductionState, is_final
from dpps.ops.demo.page import human_bytes
from dpps.workload.ports import WorkStore
from dpps.workload.production_file import read_production
from dpps.workload.progress import ProductionStatus, production_status
from dpps.workload.submission import submit_production

__all__ = ["DemoProduction", "Published", "workflows_folder"]


def workflows_folder() -> Path:
    """Return the folder of the workflows: beside the sources, or inside the installed package.

    Raises
    ------
    NotFound
        When the installation has none.
    """
    package = Path(dpps.__file__).parent
    for folder in (package / "workflows", package.parents[1] / "workflows"):
        if (folder / "productions").is_dir():
            return folder
    raise NotFound(
        f"the workflows are missing beside {package}",
        next_step="install dpps from its source tree: make setup",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One published product and what it was made from."""

    lfn: str
    output: str
    inputs: tuple[str, ...]


class DemoProduction:
    """One production of a running system.

    Parameters
    ----------
    folder : StateFolder
        The system.
    store : WorkStore
        Its work store; whoever opened it closes it.
    name : str
        Path of its file below the folder of productions.
    """

    def __init__(self, folder: StateFolder, store: WorkStore, name: str) -> None:
        self._folder = folder
        path = workflows_folder() / "productions" / name
        self._definition, self._pass_is_given = read_production(path, build_processes())
        self._store = store
        self._principal = local_principal(folder)
        self.name = self._definition.production

    def submit(self) -> None:
        """Submit; a production that an interrupted call has submitted is not submitted again."""
        with contextlib.suppress(Conflict), open_planning(self._folder) as parts:
            submit_production(
                self._principal,
                self._store,
                parts,
                self._definition,
                pass_is_given=self._pass_is_given,
                vo=Instance.load(self._folder).vo,
                now=utc_now(),
            )

    def status(self) -> ProductionStatus:
        """Return how far it is."""
        return production_status(self._principal, self._store, self.name)

    def look(self) -> tuple[int, int, str]:
        """Tell how many tasks are done, how many there will be, and what happens now.

        Raises
        ------
        DppsError
            When the production failed.
        """
        status = self.status()
        summary = status.production
        if summary.state is not ProductionState.DONE and is_final(summary.state):
            raise _failed(status)
        steps = ", ".join(
            f"{step.name}: {step.tasks.get('done', 0)} of {sum(step.tasks.values())}"
            for step in status.transformations
            if step.tasks and step.tasks.get("done", 0) < sum(step.tasks.values())
        )
        finished = summary.state is ProductionState.DONE
        # The second transformation's tasks appear one by one: the total is known at the end only.
        return (summary.done, summary.tasks, steps) if finished else (summary.done, summary.tasks + 1, steps)

    def published(self) -> list[Published]:
        """Return the published products."""
        return [
            Published(lfn=entry.lfn, output=entry.output, inputs=entry.inputs)
            for entry in self._store.lineage(self.name)
        ]

    def job_rows(self) -> list[dict[str, object]]:
        """Return one row a job, for the page."""
        return [
            {
                "transformation": step.name,
                "task": task.number,
                "attempt": job.attempt,
                "reason": job.exit_reason.value if job.exit_reason else job.state.value,
                "seconds": f"{job.report.wall_seconds:.1f}" if job.report else "",
                "memory": human_bytes(job.report.peak_memory_bytes) if job.report else "",
                "software": _software(job.report.software) if job.report else "",
            }
            for step in self._store.transformations(self.name)
            for task in self._store.tasks(step.id)
            for job in self._store.jobs(task.id)
        ]


def _software(versions: dict[str, str]) -> str:
    named = [name for name in versions if name.startswith("ctapipe")] or sorted(versions)[:2]
    return ", ".join(f"{name} {versions[name]}" for name in named)


def _failed(status: ProductionStatus) -> DppsError:
    failures = [task for step in status.transformations for task in step.failed]
    first = f"; first: task {failures[0].task}: {failures[0].detail}" if failures else ""
    return DppsError(
        f"production {status.production.name} failed: {status.production.reason}{first}",
        code="demo-production-failed",
        next_step=f"see it with: dpps production status {status.production.name}",
        production=status.production.name,
    )
