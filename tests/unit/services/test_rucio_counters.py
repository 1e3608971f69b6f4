"""The catalogue's counters survive a full disk: their space is taken before it is needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_RESERVE = """
import sys
from pathlib import Path
from dpps.services.rucio_server import ServiceRim

place = Path(sys.argv[1])
ServiceRim(None, lambda: None, lambda: b"").reserve(place)
"""


def test_the_space_of_all_counters_is_taken(tmp_path: Path) -> None:
    environment = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", _RESERVE, str(tmp_path)], env=environment, check=True)
    facts = {path.name.partition("_")[0]: path.stat() for path in tmp_path.iterdir()}
    assert set(facts) == {"counter", "histogram"}
    for fact in facts.values():
        assert fact.st_blocks * 512 >= fact.st_size > 0
