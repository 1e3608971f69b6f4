"""``python -m dpps.testing.faults``: run the bed; the exit code is 1 when an invariant broke."""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

from dpps.testing.faults.bed import Bed, Settings
from dpps.testing.faults.disks import may_mount
from dpps.workload.scratch_folders import new_scratch_folder, remove_scratch_folder

_UNSHARE = ("unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc")
_INIT = 'ip link set lo up && mount -t tmpfs -o mode=1777 none /dev/shm && "$@"; exit $?'
"""The shell is process 1 of the namespace: it collects orphans, and with it everything ends."""


def main() -> int:
    """Run; return the exit code."""
    given = _parser().parse_args()
    if not given.no_namespaces and not may_mount() and _may_unshare():
        return _in_namespaces(given.seed)
    folder = given.folder or new_scratch_folder("dpps-faults-")
    settings = Settings(
        folder=folder,
        seed=given.seed,
        seconds=given.seconds,
        few=given.few,
        mounted=may_mount(),
        files_per_second=given.rate,
        patience_seconds=given.patience,
        command=f"scripts/fault-run --seconds {given.seconds:g} --seed {given.seed}"
        + (" --few" if given.few else ""),
    )
    try:
        report = Bed(settings, _say).run()
    finally:
        if not given.keep and given.folder is None:
            remove_scratch_folder(folder)
    machine, people = report.write(given.output)
    _say(f"{'every invariant held' if report.good else 'BROKEN'}: {people} and {machine}")
    for one in report.violations[:20]:
        _say(f"  {one.invariant}: {one.subject}: {one.detail}")
    return 0 if report.good else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/fault-run", description="Hurt a system, and judge it.")
    parser.add_argument(
        "--seconds", type=float, default=300.0, help="random faults for so long, after each one once"
    )
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="decides what happens")
    parser.add_argument("--few", action="store_true", help="only kills, damaged and duplicate files")
    parser.add_argument("--rate", type=float, default=1.5, help="files handed over in a second")
    parser.add_argument(
        "--patience", type=float, default=300.0, help="seconds in which all must reach its policy afterwards"
    )
    parser.add_argument("--output", type=Path, default=Path("reports"), help="folder of the report")
    parser.add_argument("--folder", type=Path, help="folder to work in, kept; a temporary one by default")
    parser.add_argument("--keep", action="store_true", help="keep the temporary folder")
    parser.add_argument(
        "--no-namespaces", action="store_true", help="renamed folders instead of mounts; no partitions"
    )
    return parser


def _may_unshare() -> bool:
    if os.geteuid() != 0 or shutil.which("unshare") is None or shutil.which("ip") is None:
        return False
    command = [*_UNSHARE, "sh", "-c", _INIT, "sh", "mount", "-t", "tmpfs", "none", "/mnt"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _in_namespaces(seed: int) -> int:
    """Run the same once more, with mounts, network and processes of its own; nothing of them is left."""
    again = [sys.executable, "-m", "dpps.testing.faults", *sys.argv[1:]]
    if "--seed" not in sys.argv:
        again += ["--seed", str(seed)]
    environment = {**os.environ, "DPPS_FAULT_NAMESPACE": "1"}
    return subprocess.run(
        [*_UNSHARE, "sh", "-c", _INIT, "sh", *again], env=environment, check=False
    ).returncode


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
