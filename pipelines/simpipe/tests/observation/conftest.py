"""A small night and small calibration runs, and the service data that readers of their streams need."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from dpps_simpipe.service_data import write_service_data

NIGHT: dict[str, Any] = {
    "dpps_observation": 1,
    "seed": 12,
    "array": "ctao-north-lst",
    "sb_id": 2000000123,
    "target": {"name": "Crab Nebula", "ra": "83.6331 deg", "dec": "22.0145 deg"},
    "source": {
        "spectrum": {
            "type": "power-law",
            "amplitude": "3.45e-10 cm-2 s-1 TeV-1",
            "reference": "1 TeV",
            "index": 2.0,
        },
        "energy_min": "150 GeV",
        "energy_max": "400 GeV",
        "core_radius": "120 m",
    },
    "background": {
        "fraction": 1e-4,
        "view_cone": "2 deg",
        "primaries": {"proton": {"energy_min": "200 GeV", "energy_max": "2 TeV", "core_radius": "150 m"}},
    },
    "dead_time": "7 us",
    "blocks": [
        {
            "obs_id": 2000000456,
            "start": "2026-01-15T22:00:00Z",
            "duration": "20 s",
            "wobble": {"offset": "0.5 deg", "angle": "90 deg"},
        }
    ],
}

CALIBRATION: dict[str, Any] = {
    "dpps_calibration_run": 1,
    "kind": "pedestal",
    "seed": 5,
    "array": "ctao-north-lst",
    "telescopes": [1],
    "sb_id": 2000000130,
    "obs_id": 2000000500,
    "start": "2026-01-15T21:00:00Z",
    "events": 10,
    "rate": "100 Hz",
}

type Write = Callable[..., Path]


def changed(document: dict[str, Any], keys: str, value: object) -> dict[str, Any]:
    """Give a document with another value at ``a.b.c`` (numbers: places in lists); None takes the key out."""
    head, _, rest = keys.partition(".")
    if isinstance(document, list):
        place = int(head)
        inner = changed(document[place], rest, value)
        return [*document[:place], inner, *document[place + 1 :]]
    if rest:
        return {**document, head: changed(document[head], rest, value)}
    kept = {key: one for key, one in document.items() if key != head}
    return kept if value is None else {**kept, head: value}


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_document(document: dict[str, Any], **changes: object) -> Path:
        for keys, value in changes.items():
            document = changed(document, keys.replace("__", "."), value)
        path = tmp_path / "description.yaml"
        path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
        return path

    return write_document


@pytest.fixture(scope="session")
def service_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_service_data("ctao-north-lst", tmp_path_factory.mktemp("service-data"))
