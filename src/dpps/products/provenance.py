"""A provenance record after the IVOA Provenance Data Model (recommendation 1.0, 2020), as plain JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from dpps.domain.errors import InvalidInput

__all__ = ["ActivityRecord", "provenance_record"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityRecord:
    """What was done to make a product."""

    activity_id: str
    """UUID of this activity: the same for all products that it made."""
    name: str
    """What kind of activity, e.g. the name of the workflow step."""
    software: str
    software_version: str
    configuration_id: str
    """Identifies the configuration used: a URI, or ``sha256:…`` of its text."""
    start: datetime
    end: datetime
    agent: str = "dpps"
    """The principal on whose behalf it ran."""
    process: str = "data_processing"
    """A value of ``ctao_datamodel``'s ``ObservatoryProcess``."""
    production: str | None = None
    transformation: str | None = None
    task: str | None = None
    software_versions: Mapping[str, str] = field(default_factory=dict)
    """Versions of the libraries that took part."""
    toy: bool = False
    """The inputs come from a toy model and mean nothing physically."""

    def __post_init__(self) -> None:
        for moment in (self.start, self.end):
            if moment.utcoffset() is None:
                raise InvalidInput(
                    f"the time {moment.isoformat()} of activity {self.name!r} has no time zone",
                    code="time-naive",
                    next_step="give times with their zone, e.g. datetime.now(UTC)",
                )


def provenance_record(activity: ActivityRecord, *, used: Sequence[str], generated: Sequence[str]) -> str:
    """Return who made what from what, as JSON text.

    Parameters
    ----------
    activity : ActivityRecord
        What was done.
    used : sequence of str
        LFNs of the entities that were read.
    generated : sequence of str
        LFNs of the entities that were made.
    """
    record = {
        "activity": {
            "id": activity.activity_id,
            "name": activity.name,
            "startTime": activity.start.isoformat(),
            "endTime": activity.end.isoformat(),
            "configuration": activity.configuration_id,
            "production": activity.production,
            "transformation": activity.transformation,
            "task": activity.task,
        },
        "agent": {"id": activity.agent, "role": "operator"},
        "software": {activity.software: activity.software_version, **activity.software_versions},
        "used": [{"entity": name} for name in used],
        "wasGeneratedBy": [{"entity": name, "activity": activity.activity_id} for name in generated],
        "wasAssociatedWith": [{"activity": activity.activity_id, "agent": activity.agent}],
    }
    return json.dumps(record, sort_keys=True, separators=(",", ":"))
