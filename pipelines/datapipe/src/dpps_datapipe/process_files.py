"""``dpps-datapipe process-files``: many event files without starting ctapipe for each of them.

A process of ``ctapipe-process`` needs seconds before the first event: libraries
are imported and functions loaded. Here they are imported once; worker processes
are forked after that and run the stock tool on one file after another. Every
file gets the product, the provenance record and the checks that it gets alone.
"""

import json
import multiprocessing
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from dpps.domain.steps import ConfigurationError, StepError, StepParser
from dpps_datapipe.steps.table import STEPS

__all__ = ["FileResult", "output_path", "process_files", "run"]

_SUFFIXES = (".simtel.zst", ".simtel.gz", ".simtel", ".fits.fz", ".dl0.h5", ".dl1.h5", ".r1.h5", ".h5")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileResult:
    """What became of one file."""

    input: str
    output: str
    #: 0, or the exit code that the step alone would have had.
    exit_code: int
    message: str = ""


def output_path(path: Path, folder: Path, level: str) -> Path:
    """Name the product of a file.

    Parameters
    ----------
    path : pathlib.Path
        Event file.
    folder : pathlib.Path
        Where the product goes.
    level : str
        Data level of the product, e.g. ``dl1``.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    ConfigurationError
        If the name is not one of an event file.
    """
    for suffix in _SUFFIXES:
        if path.name.endswith(suffix):
            return folder / f"{path.name.removesuffix(suffix)}.{level}.h5"
    raise ConfigurationError(
        "not the name of an event file", path=path, next_step=f"known are {', '.join(_SUFFIXES)}"
    )


def _process_one(arguments: Sequence[str], pair: tuple[Path, Path]) -> FileResult:
    """Run the step on one file, in a worker."""
    from dpps_datapipe.steps.run import run_step

    path, output = pair
    record = output.with_name(f"{output.name}.provenance.log")
    files = ["--input", str(path), "--output", str(output), "--provenance-log", str(record)]
    try:
        run_step(STEPS["process"], [*files, *arguments])
    except StepError as error:
        return FileResult(input=str(path), output=str(output), exit_code=error.exit_code, message=str(error))
    return FileResult(input=str(path), output=str(output), exit_code=0)


def _load_libraries() -> None:
    """Import what every run needs, before the workers are forked."""
    import dpps_datapipe.processing
    import dpps_datapipe.steps.run  # noqa: F401


@contextmanager
def _packages_listed_once() -> Iterator[None]:
    """Have the records of all files name the same list of installed packages.

    ctapipe lists them anew for each run; that takes about a second, which is half of a small file.
    """
    from ctapipe.core import provenance

    list_packages = provenance._get_python_packages
    packages = list_packages()
    provenance._get_python_packages = lambda: packages
    try:
        yield
    finally:
        provenance._get_python_packages = list_packages


def process_files(
    paths: Sequence[Path], folder: Path, *, level: str, arguments: Sequence[str], jobs: int = 1
) -> list[FileResult]:
    """Process many event files.

    Parameters
    ----------
    paths : sequence of pathlib.Path
        Event files that ctapipe reads.
    folder : pathlib.Path
        Where the products go; it is made.
    level : str
        Data level of the products, for their names.
    arguments : sequence of str
        Further options of ``ctapipe-process``, the same for all files.
    jobs : int
        Worker processes; 1: this process works.

    Returns
    -------
    list of FileResult
        One for each file, in their order. A file that fails does not stop the others.

    Raises
    ------
    ConfigurationError
        If two files would have one product, or a name is not one of an event file.
    """
    pairs = [(path, output_path(path, folder, level)) for path in paths]
    if len({output for _, output in pairs}) < len(pairs):
        raise ConfigurationError("two files would have one product", next_step="give each file once")
    folder.mkdir(parents=True, exist_ok=True)
    _load_libraries()
    work = partial(_process_one, list(arguments))
    with _packages_listed_once():
        if jobs == 1:
            return [work(pair) for pair in pairs]
        with multiprocessing.get_context("fork").Pool(jobs) as pool:
            return pool.map(work, pairs, chunksize=1)


def _error(failed: Sequence[FileResult], number: int) -> StepError:
    """Make the error of a run with failures: the kind of the first of them."""
    kinds = {kind.exit_code: kind for kind in StepError.__subclasses__()}
    kind: type[StepError] = kinds.get(failed[0].exit_code, StepError)
    return kind(f"{len(failed)} of {number} files failed", next_step="see the errors above")


def run(arguments: Sequence[str]) -> None:
    """Process the files of a command line.

    Raises
    ------
    StepError
        With the exit code of the first file that failed; the others are done.
    """
    parser = StepParser(
        prog="dpps-datapipe process-files",
        description=(
            "Run ctapipe-process on many files in one process, or in worker processes. Options after -- "
            "are handed on to ctapipe-process."
        ),
    )
    parser.add_argument("--files", type=Path, nargs="+", required=True, help="event files")
    parser.add_argument("--output-folder", type=Path, required=True, help="folder of the products")
    parser.add_argument("--level", default="dl1", help="data level of the products, for their names")
    parser.add_argument("--jobs", type=int, default=1, help="worker processes (default: 1)")
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    words = list(arguments)
    split = words.index("--") if "--" in words else len(words)
    options = parser.parse_args(words[:split])
    results = process_files(
        options.files,
        options.output_folder,
        level=options.level,
        arguments=words[split + 1 :],
        jobs=options.jobs,
    )
    failed = [result for result in results if result.exit_code != 0]
    if options.json:
        sys.stdout.write(json.dumps([asdict(result) for result in results]) + "\n")
    else:
        sys.stdout.write(f"{len(results) - len(failed)} of {len(results)} files processed\n")
    for result in failed:
        sys.stderr.write(f"ERROR: {result.message}\n")
    if failed:
        raise _error(failed, len(results))
