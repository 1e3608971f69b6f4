"""The steps of DataPipe as this campaign calls them: by their command lines, each product made once."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dpps.domain.errors import NotFound
from dpps.domain.steps import StepError

__all__ = ["FailedStep", "Runner", "Steps", "run_command"]

#: Runs a command line of DataPipe; gives exit code and what was said on standard error.
type Runner = Callable[[Sequence[str]], tuple[int, str]]

_PROGRAM = "dpps-datapipe"
#: Of what a failed step said, so much is told.
_TOLD = 2000


class FailedStep(StepError):
    """A step of DataPipe ended with an error: its exit code and text."""

    default_code = "simpipe.step-failed"

    def __init__(self, words: Sequence[str], exit_code: int, text: str) -> None:
        said = [line for line in text.splitlines() if line.startswith("ERROR")] or text.splitlines()
        self.text = "\n".join(said)[-_TOLD:]
        super().__init__(
            f"{_PROGRAM} {words[0]} ended with {exit_code}: {self.text}",
            "correct what it names, then give the same command again: finished steps are kept",
        )
        self.step_exit_code = exit_code


def run_command(words: Sequence[str]) -> tuple[int, str]:
    """Run a command line of DataPipe in a process of its own, in this environment.

    Parameters
    ----------
    words : sequence of str
        Command and options.

    Returns
    -------
    tuple of int and str
        Exit code, standard error.

    Raises
    ------
    NotFound
        DataPipe is not installed here.
    """
    program = Path(sys.executable).with_name(_PROGRAM)
    if not program.is_file():
        raise NotFound(
            f"{program} is not there",
            code="simpipe.datapipe-missing",
            next_step="Install dpps-datapipe into the environment of dpps-simpipe (scripts/setup pipelines).",
            path=program,
        )
    done = subprocess.run([str(program), *words], capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """Makes products, each once.

    Attributes
    ----------
    configurations : Path
        Folder of the reference configurations.
    run : callable
        Runs a command line.
    tell : callable
        Is told each product.
    """

    configurations: Path
    run: Runner
    tell: Callable[[str], object]

    def make(
        self, command: str, configuration: str, arguments: Sequence[str], output: Path, *extra: str
    ) -> Path:
        """Make a product, or take the one of an earlier try.

        Parameters
        ----------
        command : str
            Command of DataPipe.
        configuration : str
            Name of its reference configuration; empty: none.
        arguments : sequence of str
            Inputs.
        output : Path
            The product; it appears when it is complete.
        *extra : str
            More options.

        Returns
        -------
        Path
            The product.

        Raises
        ------
        FailedStep
            If the step fails.
        """
        if output.exists():
            return output
        self.tell(output.name)
        output.parent.mkdir(parents=True, exist_ok=True)
        unfinished = output.with_name(f"unfinished_{output.name}")
        unfinished.unlink(missing_ok=True)
        config = ["--config", str(self.configurations / configuration)] if configuration else []
        record = output.with_name(f"{output.name}.provenance.log")
        record.unlink(missing_ok=True)
        words = [command, *arguments, *config, "--output", str(unfinished)]
        words += ["--provenance-log", str(record), "--log-level=ERROR", *extra]
        code, text = self.run(words)
        if code != 0:
            raise FailedStep(words, code, text)
        unfinished.replace(output)
        return output
