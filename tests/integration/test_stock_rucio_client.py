"""The stock ``rucio`` command, in an environment of its own, works on our catalogue."""

from __future__ import annotations

import configparser
import os
import subprocess
import sys
import time
import uuid
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dpps.cli.main import run
from dpps.testing.handed_files import announce, make_raw_stream

if TYPE_CHECKING:
    from tests.conftest import RunningSystem

ROOT = Path(__file__).parents[2]
RUCIO = Path(sys.prefix).parent / ".envs" / "rucio-client" / "bin" / "rucio"
PATIENCE_SECONDS = 300.0

pytestmark = [pytest.mark.peer, pytest.mark.rucio]


@pytest.fixture(scope="module")
def rucio_program() -> Path:
    """Install the stock client from its own lock, where it is not there yet."""
    done = subprocess.run(
        [str(ROOT / "scripts" / "setup"), "rucio-client"], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        pytest.skip(f"the stock client cannot be installed: {done.stderr.strip()}")
    return RUCIO


class StockClient:
    """Runs ``rucio`` as a reader would: with a configuration file of the user's own."""

    def __init__(self, program: Path, system: RunningSystem, home: Path) -> None:
        self._program = program
        configuration = configparser.RawConfigParser()
        configuration.read(system.folder.rucio_client_config)
        configuration["client"]["account"] = "reader"
        configuration["client"]["username"] = "reader"
        configuration["client"]["password"] = system.folder.secret("rucio-reader")
        self._file = home / "rucio.cfg"
        self._file.touch(mode=0o600)
        with self._file.open("w") as stream:
            configuration.write(stream)
        self._environment = {
            "HOME": str(home),
            "RUCIO_CONFIG": str(self._file),
            "PATH": os.environ["PATH"],
            "COLUMNS": "400",
        }

    def __call__(self, *arguments: str) -> str:
        done = subprocess.run(
            [str(self._program), *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture
def rucio(rucio_program: Path, running_system: RunningSystem, tmp_path: Path) -> StockClient:
    home = tmp_path / "home"
    home.mkdir()
    return StockClient(rucio_program, running_system, home)


def _ingest(system: RunningSystem, folder: Path) -> tuple[str, bytes]:
    """Hand one raw stream over; return its name in the archive and its bytes."""
    name = f"TEL001_SDH0000_20260214T2200_{uuid.uuid4().hex[:12]}_CHUNK000.fits.fz"
    relative = f"ctao/acada/DL0/LSTN-01/ctao-north/event/2026/02/14/{name}"
    path = folder / relative
    path.parent.mkdir(parents=True)
    make_raw_stream(path, obs_id=uuid.uuid4().int % 2_000_000_000)
    announce(path)
    content = path.read_bytes()
    assert run(["ingest", str(folder), "--state", str(system.folder.root)]) == 0
    return f"/{relative}", content


@pytest.mark.verifies_usecase("UC-110-1.2")
def test_the_stock_client_lists_and_downloads(
    rucio: StockClient, running_system: RunningSystem, tmp_path: Path
) -> None:
    lfn, content = _ingest(running_system, tmp_path / "handover")
    listed = rucio("did", "list", "--filter", "type=file", f"acada:{lfn.rsplit('/', 1)[0]}/*")
    assert lfn in listed

    deadline = time.monotonic() + PATIENCE_SECONDS
    replicas = ""
    while "CTAO-NORTH" in replicas or replicas.count(lfn) < 2:
        assert time.monotonic() < deadline, replicas
        replicas = rucio("replica", "list", "file", f"acada:{lfn}")
    assert f"{zlib.adler32(content):08x}" in replicas

    # Rucio's stock protocol for file systems makes no folders at the destination.
    target = tmp_path / "out" / "acada" / lfn.lstrip("/")
    target.parent.mkdir(parents=True)
    rucio("download", "--dir", str(tmp_path / "out"), f"acada:{lfn}")
    assert target.read_bytes() == content
