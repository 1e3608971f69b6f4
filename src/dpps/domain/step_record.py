"""What a step of a pipeline read, ran with and made, in the shape of a provenance record of ctapipe."""

from __future__ import annotations

import hashlib
import json
import platform
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

__all__ = ["StepRecord"]


def _entry(path: Path, role: str) -> dict[str, object]:
    with path.open("rb") as stream:
        checksum = hashlib.file_digest(stream, "sha256").hexdigest()
    return {
        "url": f"file://{path.resolve()}",
        "role": role,
        "sha256": checksum,
        "size_bytes": path.stat().st_size,
    }


class StepRecord:
    """One activity, begun when this is made.

    Parameters
    ----------
    name : str
        Of the step.
    configuration : mapping
        Its options; what JSON does not know is recorded as its text.
    software : sequence of str
        Distributions whose versions are recorded.
    """

    def __init__(self, name: str, configuration: Mapping[str, object], software: Sequence[str]) -> None:
        self._name = name
        self._configuration = json.loads(json.dumps(configuration, default=str))
        self._software = tuple(software)
        self._started = datetime.now(UTC)

    @property
    def configuration_sha256(self) -> str:
        """Identifier of the options, whatever their order."""
        text = json.dumps(self._configuration, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def document(self, *, used: Sequence[tuple[Path, str]], made: Sequence[tuple[Path, str]]) -> str:
        """Give the record of a step that ended well: a list with one activity, as JSON.

        Parameters
        ----------
        used, made : sequence of tuple
            Files with their roles.

        Returns
        -------
        str
            To be written as a whole.

        Raises
        ------
        OSError
            A file cannot be read.
        """
        activity = {
            "activity_name": self._name,
            "status": "completed",
            "exit_code": 0,
            "start": {"time_utc": self._started.isoformat()},
            "stop": {"time_utc": datetime.now(UTC).isoformat()},
            "system": {
                **{f"{name.replace('-', '_')}_version": version(name) for name in self._software},
                "executable": sys.executable,
                "python": {"version_string": sys.version},
                "platform": {"system": platform.system(), "machine": platform.machine()},
            },
            "config": {self._name: self._configuration},
            "config_sha256": self.configuration_sha256,
            "input": [_entry(file, role) for file, role in used],
            "output": [_entry(file, role) for file, role in made],
        }
        return json.dumps([activity], indent=3) + "\n"
