"""The provenance record of a step, in the shape that ctapipe gives its own (a list with one activity)."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from dpps.domain.step_record import StepRecord
from dpps_science.files import write_whole

__all__ = ["Record"]

_SOFTWARE = ("gammapy", "numpy", "astropy", "dpps-science")


class Record:
    """What a step reads, writes and runs with.

    Parameters
    ----------
    name : str
        Of the step.
    configuration : mapping
        Its options.
    """

    def __init__(self, name: str, configuration: Mapping[str, object]) -> None:
        self._record = StepRecord(name, {key: str(value) for key, value in configuration.items()}, _SOFTWARE)

    @property
    def configuration_sha256(self) -> str:
        """Identifier of the options."""
        return self._record.configuration_sha256

    def write(
        self, path: Path, *, used: Sequence[tuple[Path, str]], made: Sequence[tuple[Path, str]]
    ) -> None:
        """Write the record of a step that ended well.

        Parameters
        ----------
        path : pathlib.Path
            The record.
        used, made : sequence of tuple
            Files with their roles.
        """
        write_whole(path, self._record.document(used=used, made=made).encode())
