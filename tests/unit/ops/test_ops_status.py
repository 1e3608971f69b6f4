"""Whose process the supervisor's number belongs to."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil
import pytest

from dpps.ops.status import SystemStatus, started_since_boot, supervisor_process


def status(started: float) -> SystemStatus:
    return SystemStatus(
        state_folder=Path("/state"),
        supervisor_pid=psutil.Process().pid,
        supervisor_started=started,
        metrics_url="",
        services=(),
    )


@pytest.mark.skipif(sys.platform != "linux", reason="the boot time is read from /proc")
@pytest.mark.parametrize("step_seconds", [3600.0, -3600.0])
def test_setting_the_machines_clock_does_not_lose_the_supervisor(
    monkeypatch: pytest.MonkeyPatch, step_seconds: float
) -> None:
    found = status(started_since_boot(psutil.Process()))
    # The kernel tells processes' starts relative to the boot, whose time of day moves when the clock is set.
    booted = psutil.boot_time()
    monkeypatch.setattr("psutil._pslinux.boot_time", lambda: booted + step_seconds)
    assert psutil.boot_time() == booted + step_seconds
    assert supervisor_process(found) == psutil.Process()


def test_a_later_process_of_the_same_number_is_not_the_supervisor() -> None:
    assert supervisor_process(status(started_since_boot(psutil.Process()) - 60)) is None
