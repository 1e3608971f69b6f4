"""Measure replication over two links against the plain copying of the same bytes between the same servers.

usage: python -m bench.replication [--storage xrootd|posix] [--small 100] [--large 3] [--large-mb 256]

Files at the on-site storage of a new system get one rule for each of two other sites. The clock runs until
the catalogue has every copy as complete; the transfer service has read each of them back by then. The peer
copies the same files to the same two storages, both at the same time, and checks nothing: ``xrdcp`` where
the storages are XRootD servers, ``cp`` and ``sync`` where they are folders.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import time
import zlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from bench.figures import Figure, machine, print_figures, save_figures
from bench.system import catalogue_database, cpu_seconds, own_system, paused, scratch
from dpps.composition.data import build_catalogue
from dpps.composition.instance import Instance
from dpps.composition.state import StateFolder
from dpps.composition.storage import build_storage, storage_token
from dpps.data.ports import Registration, ReplicationRule, Storage
from dpps.domain.errors import Unavailable
from dpps.domain.files import FileContent
from dpps.domain.names import Lfn

__all__ = ["main", "measure"]

_SOURCE, _TARGETS = "CTAO-NORTH", ("CSCS", "PIC")
_WORKING = ("transfers", "rucio-daemons", "rucio-server", "postgres", "cache")
_STORAGES = tuple(f"storage-{rse.lower()}" for rse in (_SOURCE, *_TARGETS))
_BESIDE = ("preservation", "workload", "ingest")
_PATIENCE_SECONDS = 1800.0
_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Seconds for all copies of a set."""

    copies: int
    megabytes: float
    """Of all copies together."""
    whole: float
    """From the making of the rules until the catalogue has the last copy."""
    moving: float
    """From the beginning of the first transfer to the end of the last one, verified."""
    peer: float
    cpu: float
    """Processor time of daemons, transfer service, catalogue, database and storages."""


@dataclass(frozen=True, slots=True)
class FileSet:
    """Files of one dataset at the source."""

    dataset: str
    contents: dict[Lfn, FileContent]


def _place(state: StateFolder, dataset: str, *, files: int, size_bytes: int) -> FileSet:
    """Write files at the source and register them, with no rule."""
    storage, catalogue = build_storage(state), build_catalogue(state, "ingest")
    prefix = _prefix(state, _SOURCE)
    contents: dict[Lfn, FileContent] = {}
    with scratch() as folder:
        local = folder / "content"
        for number in range(files):
            _write_noise(local, size_bytes)
            lfn = Lfn(f"{dataset}/file-{number:05d}.fits.fz")
            contents[lfn] = _upload(storage, local, prefix + lfn.name)
    entries = [
        Registration(lfn=lfn, rse=_SOURCE, content=content, metadata={}, dataset=dataset)
        for lfn, content in contents.items()
    ]
    failed = [one for one in catalogue.register(entries) if one.error is not None]
    assert not failed, failed[0]
    catalogue.attach(dataset, list(contents))
    return FileSet(dataset, contents)


def _upload(storage: Storage, local: Path, url: str) -> FileContent:
    """Write a file at the source; a connection that breaks is no end of the benchmark, if it does once."""
    try:
        return storage.upload(local, url)
    except Unavailable as broken:
        print(f"once more: {url}: {broken.message}")
        return storage.upload(local, url)


def _write_noise(path: Path, size_bytes: int) -> None:
    block = os.urandom(min(size_bytes, 8 * 1024 * 1024))
    with path.open("wb") as stream:
        for _ in range(size_bytes // len(block)):
            stream.write(block)
        stream.write(block[: size_bytes % len(block)])


def _prefix(state: StateFolder, rse: str) -> str:
    return next(site.url_prefix for site in Instance.load(state).sites if site.rse == rse)


def _replicate(state: StateFolder, files: FileSet) -> tuple[float, float]:
    """Return the seconds of the whole way, and those of the transfers in it."""
    catalogue = build_catalogue(state, "ingest")
    wanted = len(files.contents) * len(_TARGETS)
    with catalogue_database(state) as database:
        started = time.perf_counter()
        for rse in _TARGETS:
            rule = ReplicationRule(dataset=files.dataset, copies=1, expression=rse, source_expression=_SOURCE)
            catalogue.ensure_rule(rule)
        while (done := _complete(database, files.dataset)) < wanted:
            if time.perf_counter() - started > _PATIENCE_SECONDS:
                raise SystemExit(f"{done} of {wanted} copies after {_PATIENCE_SECONDS:g} s")
            time.sleep(_POLL_SECONDS)
        whole = time.perf_counter() - started
    _check(state, files)
    return whole, _moving_seconds(state, files)


def _complete(database: psycopg.Connection[tuple[int]], dataset: str) -> int:
    row = database.execute(
        "select count(*) from replicas p join rses r on r.id = p.rse_id"
        " where p.name like %s and r.rse = any(%s) and p.state = 'A'",
        [f"{dataset}/%", list(_TARGETS)],
    ).fetchone()
    return row[0] if row else 0


def _check(state: StateFolder, files: FileSet) -> None:
    """End the benchmark unless each copy on disk has the bytes of the source."""
    for rse in _TARGETS:
        for lfn, content in files.contents.items():
            found = _adler32(Path(f"{state.storage(rse)}{lfn.name}"))
            if found != content.adler32:
                raise SystemExit(f"{lfn} at {rse} has the checksum {found}, not {content.adler32}")


def _adler32(path: Path) -> str:
    checksum = 1
    with path.open("rb") as stream:
        while part := stream.read(8 * 1024 * 1024):
            checksum = zlib.adler32(part, checksum)
    return f"{checksum:08x}"


def _moving_seconds(state: StateFolder, files: FileSet) -> float:
    url = Instance.load(state).database(state, "dpps").replace("+psycopg", "")
    with psycopg.connect(url) as database:
        row = database.execute(
            "select extract(epoch from max(finished_at) - min(started_at)) from transfers.attempt"
            " where source like %s",
            [f"%{files.dataset}/%"],
        ).fetchone()
    assert row is not None
    return float(row[0])


def _copy_plainly(state: StateFolder, files: FileSet) -> float:
    """Copy the same files to other names at the same storages; return the seconds."""
    if _prefix(state, _SOURCE).startswith("file:"):
        commands = [_cp(state, files, rse) for rse in _TARGETS]
        environment = dict(os.environ)
    else:
        commands = [_xrdcp(state, files, rse) for rse in _TARGETS]
        environment = {
            "PATH": os.environ["PATH"],
            "BEARER_TOKEN": storage_token(
                state,
                "owner",
                [urlsplit(_prefix(state, rse)).netloc for rse in (_SOURCE, *_TARGETS)],
                lifetime_seconds=7200,
            ),
            "X509_CERT_DIR": str(state.certificates / "trusted"),
        }
    started = time.perf_counter()
    running = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for command in commands
    ]
    for process in running:
        output, _ = process.communicate()
        if process.returncode != 0:
            raise SystemExit(f"{process.args!r} failed: {output.decode()[-2000:]}")
    seconds = time.perf_counter() - started
    for rse in _TARGETS:
        copied = sum(path.is_file() for path in _plain_place(state, rse).rglob("*.fits.fz"))
        if copied != len(files.contents):
            raise SystemExit(f"the peer copied {copied} of {len(files.contents)} files to {rse}")
        shutil.rmtree(_plain_place(state, rse))
    return seconds


def _plain_place(state: StateFolder, rse: str) -> Path:
    return state.storage(rse) / "ctao" / "tmp" / "plain"


def _cp(state: StateFolder, files: FileSet, rse: str) -> list[str]:
    target = _plain_place(state, rse)
    target.mkdir(parents=True)
    source = f"{state.storage(_SOURCE)}{files.dataset}"
    return ["sh", "-c", 'cp -r "$1" "$2" && sync "$2"/*/*', "sh", source, str(target)]


def _xrdcp(state: StateFolder, files: FileSet, rse: str) -> list[str]:
    source = f"{_server(state, _SOURCE)}/{files.dataset}"
    return ["xrdcp", "-s", "-r", "-p", f"{source}/", f"{_server(state, rse)}//ctao/tmp/plain/"]


def _server(state: StateFolder, rse: str) -> str:
    # The server asks for TLS at once; of roots:// the program does not know that it lists folders.
    address = urlsplit(_prefix(state, rse))
    return f"root://{address.hostname}:{address.port}"


def _measure_set(state: StateFolder, dataset: str, *, files: int, size_bytes: int) -> Times:
    made = _place(state, dataset, files=files, size_bytes=size_bytes)
    before = _copy_plainly(state, made)
    used = cpu_seconds(state, *_WORKING, *_STORAGES)
    whole, moving = _replicate(state, made)
    used = cpu_seconds(state, *_WORKING, *_STORAGES) - used
    after = _copy_plainly(state, made)
    copies = files * len(_TARGETS)
    return Times(
        copies=copies,
        megabytes=copies * size_bytes / 1e6,
        whole=whole,
        moving=moving,
        peer=(before + after) / 2,
        cpu=used,
    )


_WHOLE, _MOVING = "rule to catalogue", "transfers only"


def _small_figures(small: Times, peer: str) -> list[Figure]:
    name = f"replication, {small.copies} × 1 MB"
    copies = partial(
        Figure, unit="copies/s", more_is_better=True, peer=small.copies / small.peer, peer_source=peer
    )
    return [
        copies(name=f"{name}, {_WHOLE}", value=small.copies / small.whole, aim=60.0),
        copies(name=f"{name}, {_MOVING}", value=small.copies / small.moving),
        Figure(
            name="replication, processor time of all services",
            value=1e3 * small.cpu / small.copies,
            unit="ms/copy",
        ),
    ]


def _large_figures(large: Times, peer: str) -> list[Figure]:
    name = f"replication, {large.copies} × {large.megabytes / large.copies:.0f} MB"
    megabytes = partial(
        Figure, unit="MB/s", more_is_better=True, peer=large.megabytes / large.peer, peer_source=peer
    )
    return [
        megabytes(name=f"{name}, {_WHOLE}", value=large.megabytes / large.whole, aim_ratio=0.7),
        megabytes(name=f"{name}, {_MOVING}", value=large.megabytes / large.moving),
    ]


def measure(options: argparse.Namespace) -> list[Figure]:
    """Start a system, measure, stop it; a set of no files is left out."""
    peer = "xrdcp, nothing checked" if options.storage == "xrootd" else "cp and sync, nothing checked"
    figures: list[Figure] = []
    with own_system("--storage", options.storage) as state, paused(state, _BESIDE):
        measured = partial(_measure_set, state)
        measured("/ctao/acada/DL0/bench/warm", files=4, size_bytes=1000)
        if options.small:
            times = measured("/ctao/acada/DL0/bench/small", files=options.small, size_bytes=1_000_000)
            figures += _small_figures(times, peer)
        if options.large:
            size_bytes = options.large_mb * 1_000_000
            times = measured("/ctao/acada/DL0/bench/large", files=options.large, size_bytes=size_bytes)
            figures += _large_figures(times, peer)
    return figures


def parser() -> argparse.ArgumentParser:
    """Return the description of the command line."""
    described = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    found = "xrootd" if shutil.which("xrootd") else "posix"
    described.add_argument("--storage", choices=("xrootd", "posix"), default=found)
    described.add_argument("--small", type=int, default=100, help="files of 1 MB, copied to two sites")
    described.add_argument("--large", type=int, default=3, help="large files, copied to two sites")
    described.add_argument("--large-mb", type=int, default=256)
    return described


def main() -> None:
    """Measure and print."""
    options = parser().parse_args()
    print("machine:", machine())
    figures = measure(options)
    print_figures(figures)
    save_figures(figures, Path("reports") / "bench-replication.json")


if __name__ == "__main__":
    main()
