"""Steps that run once: each in a folder of its own, which has its name only when the step is done."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dpps.domain.steps import MissingInput, StepError

__all__ = ["Commands", "do_once"]

_LAST_LINES = 3
#: Steps run beside each other: each keeps to one core.
_ONE_CORE = {"OMP_NUM_THREADS": "1"}


def do_once(folder: Path, work: Callable[[Path], None]) -> Path:
    """Do a step in a temporary folder, then give the folder its name; a step that is done is left alone.

    Parameters
    ----------
    folder : pathlib.Path
        Of the step's products.
    work : callable
        Fills a folder.

    Returns
    -------
    pathlib.Path
        The folder.
    """
    if not folder.is_dir():
        part = folder.with_name(f".{folder.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        work(part)
        part.replace(folder)
    return folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """Programs of the pipelines, found beside the Python that runs.

    Attributes
    ----------
    programs : pathlib.Path
        Folder of the programs.
    tell : callable
        Gets a line for each command.
    """

    programs: Path = Path(sys.executable).parent
    tell: Callable[[str], None]

    def run(self, program: str, *words: object, cwd: Path) -> None:
        """Run a program to its end.

        Parameters
        ----------
        program : str
            Its name.
        *words : object
            Command line.
        cwd : pathlib.Path
            Folder it runs in; its log ``<program>.log`` lies there.

        Raises
        ------
        MissingInput
            The program is not installed.
        StepError
            It failed; its last lines are the message.
        """
        path = self.programs / program
        if not path.is_file():
            raise MissingInput("the program is not installed", "install the pipelines", path=path)
        line: Sequence[str] = [str(path), *map(str, words)]
        self.tell(f"{program} {words[0] if words else ''}")
        log = cwd / f"{program}.log"
        with log.open("a", encoding="utf-8") as stream:
            done = subprocess.run(
                line, cwd=cwd, stdout=stream, stderr=stream, check=False, env={**os.environ, **_ONE_CORE}
            )
        if done.returncode != 0:
            last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-_LAST_LINES:]
            raise StepError(
                f"{program} {words[0]} ended with {done.returncode}: {' | '.join(last)}", path=log
            )
