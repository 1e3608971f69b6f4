"""What provenance records of payloads say about the software that ran.

ctapipe writes a JSON list of activities, each with ``system: {ctapipe_version, …, executable}``
(`ctapipe.core.provenance`); other records are kept as they are and say nothing here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePath

__all__ = ["PROVENANCE_OUTPUT", "join_records", "payload_name", "software_in"]

PROVENANCE_OUTPUT = "provenance_log"
"""CWL outputs with this in their name are provenance records (published CWL documents do so)."""

_LEADING = ("ctapipe", "python", "numpy")
"""Which libraries are named, the one that stands for the whole first."""


def software_in(records: Iterable[str]) -> dict[str, str]:
    """Return versions of the software that made the outputs, the leading one first.

    Parameters
    ----------
    records : iterable of str
        Texts of provenance records.
    """
    for record in records:
        system = _system(record)
        versions = {
            name: str(system[key])
            for name in _LEADING
            for key in (f"{name}_version",)
            if isinstance(system.get(key), str)
        }
        python = system.get("python")
        if isinstance(python, dict) and isinstance(python.get("version_string"), str):
            versions["python"] = python["version_string"].split()[0]
        if versions:
            return versions
    return {}


def join_records(records: Sequence[Path], joined: Path) -> Path:
    """Write the records of several steps as one: the list of all their activities.

    Parameters
    ----------
    records : sequence of pathlib.Path
        Records, in the order of the steps. What is no list of activities is kept as text under the name
        of its file.
    joined : pathlib.Path
        File to write.

    Returns
    -------
    pathlib.Path
        The written file.
    """
    activities: list[object] = []
    for record in records:
        text = record.read_text(encoding="utf-8", errors="replace")
        try:
            document = json.loads(text)
        except ValueError:
            document = None
        activities.extend(document if isinstance(document, list) else [{"record": record.name, "text": text}])
    joined.write_text(json.dumps(activities, indent=1), encoding="utf-8")
    return joined


def _system(record: str) -> dict[str, object]:
    try:
        activities = json.loads(record)
    except ValueError:
        return {}
    if not isinstance(activities, list) or not activities or not isinstance(activities[-1], dict):
        return {}
    system = activities[-1].get("system")
    return system if isinstance(system, dict) else {}


def payload_name(process: Mapping[str, object]) -> str:
    """Return what a process runs, for records of payloads that do not say it themselves."""
    command = process.get("baseCommand")
    if isinstance(command, list) and command:
        command = command[0]
    if isinstance(command, str) and command:
        return PurePath(command).name
    return str(process.get("label") or process.get("class") or "process")
