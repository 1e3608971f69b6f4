"""Two observations of a source, on both sides of it."""

from dataclasses import replace
from pathlib import Path

import pytest
from dpps_science.testing.event_lists import Made, write_event_list


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two observations, on both sides of the source."""
    folder = tmp_path_factory.mktemp("dl3")
    north = Made()
    return [
        write_event_list(folder / "north.fits", north),
        write_event_list(folder / "south.fits", replace(north, obs_id=2, wobble_deg=-0.5)),
    ]
