"""The published ingest client (``ctao-bdms-clients``) beside ours: one catalogue, one on-site storage."""

from __future__ import annotations

import configparser
import json
import os
import subprocess
import sys
import time
import uuid
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dpps.testing.command_line import Shell
from dpps.testing.handed_files import announce, make_raw_stream

if TYPE_CHECKING:
    from tests.conftest import RunningSystem

ROOT = Path(__file__).parents[2]
PYTHON = Path(sys.prefix).parent / ".envs" / "bdms-client" / "bin" / "python"
PATIENCE_SECONDS = 300.0
ONSITE = "CTAO-NORTH"

# One process for all tests: the client's imports take longer than its work.
DRIVER = """
import json, sys
from bdms.acada_ingestion import IngestionClient, process_file
client = IngestionClient(sys.argv[1], sys.argv[2])
print(json.dumps("ready"), flush=True)
for line in sys.stdin:
    word, name = json.loads(line)
    if word == "ingest":
        told = process_file(client, name)
        answer = {"lfn": told.lfn, "skipped": told.skip_reason and told.skip_reason.name}
    else:
        [found] = client.replica_client.list_replicas([{"scope": "acada", "name": name}])
        rules = client.rule_client.list_replication_rules({"scope": "acada", "name": name.rpartition("/")[0]})
        answer = {"rses": sorted(found["rses"]), "adler32": found["adler32"], "rules": len(list(rules))}
    print(json.dumps(answer), flush=True)
"""

pytestmark = [pytest.mark.peer, pytest.mark.rucio]


class PublishedClient:
    """The published client in a process of its own, asked one thing at a time."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        assert self._answer() == "ready"

    def ingest(self, path: Path) -> dict[str, str | None]:
        """Have it process one file that is announced."""
        return self._ask("ingest", str(path))

    def replicas(self, lfn: str) -> dict[str, Any]:
        """Return what the stock client of the catalogue says of a file."""
        return self._ask("replicas", lfn)

    def _ask(self, word: str, name: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([word, name]) + "\n")
        self._process.stdin.flush()
        answer = self._answer()
        assert isinstance(answer, dict)
        return answer

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the published client has ended; its errors are above"
        return json.loads(line)


@dataclass(frozen=True, slots=True)
class Handed:
    """A raw file that lies in the on-site storage and is announced."""

    path: Path
    lfn: str
    content: bytes

    @property
    def adler32(self) -> str:
        """Its checksum as the catalogue writes it."""
        return f"{zlib.adler32(self.content):08x}"


@pytest.fixture(scope="module")
def published(
    running_system: RunningSystem, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PublishedClient]:
    done = subprocess.run(
        [str(ROOT / "scripts" / "setup"), "bdms-client"], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        pytest.skip(f"the published client cannot be installed: {done.stderr.strip()}")
    folder, home = running_system.folder, tmp_path_factory.mktemp("published")
    configuration = configparser.RawConfigParser()
    configuration.read(folder.rucio_client_config)
    password = folder.secret("rucio-ingest")
    configuration["client"].update({"account": "ingest", "username": "ingest", "password": password})
    (home / "rucio.cfg").touch(mode=0o600)
    with (home / "rucio.cfg").open("w") as stream:
        configuration.write(stream)
    environment = {
        "HOME": str(home),
        "TMPDIR": str(home),
        "RUCIO_CONFIG": str(home / "rucio.cfg"),
        "PATH": os.environ["PATH"],
    }
    with subprocess.Popen(
        [str(PYTHON), "-c", DRIVER, str(folder.storage(ONSITE)), ONSITE],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield PublishedClient(process)
        assert process.stdin is not None
        process.stdin.close()
        process.wait(30)


@pytest.fixture
def dpps(running_system: RunningSystem, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(running_system.folder.root, capsys)


@pytest.fixture
def handed(running_system: RunningSystem) -> Handed:
    storage = running_system.folder.storage(ONSITE)
    run = uuid.uuid4()
    name = f"TEL001_SDH0000_20260301T2200_{run.hex[:12]}_CHUNK000.fits.fz"
    path = storage / "ctao/acada/DL0/LSTN-01/ctao-north/event/2026/03/01" / name
    make_raw_stream(path, obs_id=run.int % 2_000_000_000)
    announce(path)
    return Handed(path, f"/{path.relative_to(storage)}", path.read_bytes())


def test_what_the_published_client_ingests_is_found_kept_and_given_by_ours(
    published: PublishedClient, handed: Handed, running_system: RunningSystem, dpps: Shell, tmp_path: Path
) -> None:
    assert published.ingest(handed.path) == {"lfn": handed.lfn, "skipped": None}
    assert not handed.path.with_name(f"{handed.path.name}.trigger").is_symlink()

    obs_id = dpps("data", "info", handed.lfn)["metadata"]["instance__obs_id"]
    assert [one["lfn"] for one in dpps("data", "find", f"instance__obs_id = {obs_id}")] == [handed.lfn]
    explained = dpps("data", "why", handed.lfn)
    assert explained["findings"]

    # Our policy is the law for its files too: two copies elsewhere, then the first one is freed.
    deadline = time.monotonic() + PATIENCE_SECONDS
    while handed.path.exists() or len(_complete(dpps, handed.lfn)) < 2:
        assert time.monotonic() < deadline, dpps("data", "why", handed.lfn)
        time.sleep(0.5)
    assert ONSITE not in published.replicas(handed.lfn)["rses"]

    dpps("data", "get", handed.lfn, "--output", str(tmp_path))
    [got] = tmp_path.rglob(handed.path.name)
    assert got.read_bytes() == handed.content


def test_what_ours_ingests_exists_already_for_the_published_client(
    published: PublishedClient, handed: Handed, running_system: RunningSystem, dpps: Shell
) -> None:
    taken = dpps("ingest", str(running_system.folder.storage(ONSITE)))
    assert handed.lfn in [one["lfn"] for one in taken if one["outcome"] == "ingested"]
    before = published.replicas(handed.lfn)
    metadata = dpps("data", "info", handed.lfn)["metadata"]

    assert published.ingest(handed.path) == {"lfn": handed.lfn, "skipped": "REPLICA_EXISTS"}

    after = published.replicas(handed.lfn)
    assert after["adler32"] == handed.adler32
    assert after["rules"] == before["rules"]
    assert dpps("data", "info", handed.lfn)["metadata"] == metadata


def _complete(dpps: Shell, lfn: str) -> list[str]:
    replicas = dpps("data", "info", lfn)["replicas"]
    return [one["rse"] for one in replicas if one["state"] == "available" and one["rse"] != ONSITE]
