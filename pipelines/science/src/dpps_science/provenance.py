"""The provenance record of a step, in the shape that ctapipe gives its own (a list with one activity)."""

import hashlib
import json
import platform
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from dpps_science.files import write_whole

__all__ = ["Record"]

_SOFTWARE = ("gammapy", "numpy", "astropy", "dpps-science")


def _entry(path: Path, role: str) -> dict[str, object]:
    with path.open("rb") as stream:
        checksum = hashlib.file_digest(stream, "sha256").hexdigest()
    return {
        "url": f"file://{path.resolve()}",
        "role": role,
        "sha256": checksum,
        "size_bytes": path.stat().st_size,
    }


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
        self._name = name
        self._configuration = {key: str(value) for key, value in configuration.items()}
        self._started = datetime.now(UTC)

    @property
    def configuration_sha256(self) -> str:
        """Identifier of the options."""
        text = json.dumps(self._configuration, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

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
        system = {f"{name.replace('-', '_')}_version": version(name) for name in _SOFTWARE}
        activity = {
            "activity_name": self._name,
            "status": "completed",
            "exit_code": 0,
            "start": {"time_utc": self._started.isoformat()},
            "stop": {"time_utc": datetime.now(UTC).isoformat()},
            "system": {
                **system,
                "executable": sys.executable,
                "python": {"version_string": sys.version},
                "platform": {"system": platform.system(), "machine": platform.machine()},
            },
            "config": {self._name: self._configuration},
            "config_sha256": self.configuration_sha256,
            "input": [_entry(file, role) for file, role in used],
            "output": [_entry(file, role) for file, role in made],
        }
        write_whole(path, (json.dumps([activity], indent=3) + "\n").encode())
