"""One high-throughput executor on this machine: an interchange, and a pool of warm workers.

The executor is used without Parsl's data flow kernel: dependencies, retries and checkpoints are ours.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from dpps.workload.scratch_folders import new_scratch_folder, remove_scratch_folder
from dpps.workload.stopping import SANDBOXES, stop_file

__all__ = ["LocalExecutor"]

_LOOPBACK = "127.0.0.1"
_HEARTBEAT_SECONDS = 5
_HEARTBEATS_LOST_SECONDS = 20
_POLL_MILLISECONDS = 100
_KEPT_RUNS = 3
_POOLS_MAX = 3
_GUARD = "dpps.adapters.parsl.guard"
_INTERCHANGE = "parsl.executors.high_throughput.interchange"


class LocalExecutor:
    """Interchange and workers, started by the constructor.

    Parameters
    ----------
    folder : Path
        ``runs/<time>`` below it gets Parsl's logs, ``sandboxes`` the jobs' temporary files.
    workers : int
        How many jobs run at a time.

    Raises
    ------
    OSError
        When a process cannot be started.
    """

    def __init__(self, folder: Path, *, workers: int) -> None:
        from parsl.executors import HighThroughputExecutor
        from parsl.providers import LocalProvider

        self._sandboxes = folder / "sandboxes"
        shutil.rmtree(self._sandboxes, ignore_errors=True)
        self._sandboxes.mkdir(parents=True)
        self._scratch = _new_scratch(folder / "scratch")
        run = _new_run(folder / "runs")
        provider: Any = LocalProvider(  # type: ignore[no-untyped-call]
            init_blocks=0,
            min_blocks=0,
            max_blocks=1,
            worker_init=_worker_init(self._sandboxes, self._scratch),
        )
        provider.script_dir = str(run / "submit_scripts")
        Path(provider.script_dir).mkdir()
        owner = str(os.getpid())
        self._htex: Any = HighThroughputExecutor(
            label="jobs",
            provider=provider,
            address=_LOOPBACK,
            loopback_address=_LOOPBACK,
            cores_per_worker=1e-6,  # the number of workers is given, whatever the cores
            max_workers_per_node=workers,
            heartbeat_period=_HEARTBEAT_SECONDS,
            heartbeat_threshold=_HEARTBEATS_LOST_SECONDS,
            poll_period=_POLL_MILLISECONDS,
            interchange_launch_cmd=[sys.executable, "-m", _GUARD, owner, _INTERCHANGE],
        )
        pool = f"{shlex.quote(sys.executable)} -m {_GUARD} --group {owner} "
        self._htex.launch_cmd = str(self._htex.launch_cmd).replace(
            "process_worker_pool.py", pool + "parsl.executors.high_throughput.process_worker_pool", 1
        )
        self._htex.run_dir = str(run)
        self._htex.run_id = run.name
        self._htex.start()  # type: ignore[no-untyped-call]
        self._htex.scale_out_facade(1)

    def submit(self, function: Callable[[str], object], bundle: str, *, priority: int) -> Future[object]:
        """Queue a call; of those that wait, greater priorities are called first."""
        # Parsl calls small numbers first.
        future: Future[object] = self._htex.submit(function, {"priority": -priority}, bundle)
        return future

    @property
    def is_sound(self) -> bool:
        """Whether the interchange runs and Parsl has not given up."""
        process = self._htex.interchange_proc
        return not self._htex.bad_state_is_set and process is not None and process.poll() is None

    def mend_pool(self) -> bool:
        """Start the worker pool again if it is gone; return whether it was.

        Raises
        ------
        OSError
            When it was started several times and died each time.
        """
        status = self._htex.status()
        if any(not block.terminal for block in status.values()):
            return False
        if len(status) > _POOLS_MAX:
            raise OSError(f"the worker pool died {len(status)} times; see {self._htex.provider.script_dir}")
        self._htex.scale_out_facade(1)
        return True

    def withdraw(self, job: str) -> None:
        """Have a job ended by its worker; one that waits is told by the workload system when it starts."""
        stop_file(self._sandboxes, job).touch()

    def forget(self, job: str) -> None:
        """Remove what `withdraw` has placed: the job is over."""
        stop_file(self._sandboxes, job).unlink(missing_ok=True)

    def stop(self) -> None:
        """End workers and interchange, and remove the sandboxes."""
        alive = [block for block, state in self._htex.status().items() if not state.terminal]
        if alive and self.is_sound:
            self._htex.scale_in_facade(len(alive))
        elif alive:
            self._htex.provider.cancel([self._htex.blocks_to_job_id[block] for block in alive])
        self._htex.shutdown()
        shutil.rmtree(self._sandboxes, ignore_errors=True)
        remove_scratch_folder(self._scratch)


def _new_scratch(link: Path) -> Path:
    """Return a folder with a short name for multiprocessing's sockets, removing that of the last run.

    Below a deep state folder the names of sockets grow too long for the operating system.
    """
    if link.is_symlink():
        shutil.rmtree(link.readlink(), ignore_errors=True)
        link.unlink()
    scratch = new_scratch_folder("dpps-parsl-")
    link.symlink_to(scratch)
    return scratch


def _new_run(runs: Path) -> Path:
    """Make the folder of this run, and forget all but the last few."""
    runs.mkdir(parents=True, exist_ok=True)
    for old in sorted(runs.iterdir())[: -_KEPT_RUNS + 1]:
        shutil.rmtree(old, ignore_errors=True)
    run = runs / time.strftime(f"%Y%m%dT%H%M%S-{os.getpid()}-{time.monotonic_ns()}", time.gmtime())
    run.mkdir()
    return run


def _worker_init(sandboxes: Path, scratch: Path) -> str:
    """Return what the shell of the worker pool does first: a worker knows nothing of the system."""
    programs = Path(sys.executable).parent
    lines = [
        "unset DPPS_STATE DPPS_PRINCIPAL RUCIO_CONFIG RUCIO_HOME",
        f"export PATH={shlex.quote(str(programs))}:$PATH",
        f"export TMPDIR={shlex.quote(str(scratch))}",
        f"export {SANDBOXES}={shlex.quote(str(sandboxes))}",
        f"cd {shlex.quote(str(sandboxes))}",
    ]
    return "\n".join(lines)
