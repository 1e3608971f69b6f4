"""Measure the ingest of raw files against the published client, on the same catalogue, in alternation.

usage: python -m bench.ingest [--files 1000] [--peer-files 100] [--processes 1,4] [--rounds 2]
                              [--large-events 10000] [--replicating]

Every set of files has its own dataset in the on-site storage of a new system, is written there by
``protozfits`` and dropped from the cache of the operating system. One file of a hundred is damaged; what
became of each file is looked up on disk and in the catalogue's database after the clock has stopped.
The start of programs and clients is not measured, ours or theirs. Daemons and transfers are held still
meanwhile, unless ``--replicating``.
"""

from __future__ import annotations

import argparse
import configparser
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
import zlib
from dataclasses import dataclass
from pathlib import Path

from bench.figures import Figure, machine, print_figures, save_figures
from bench.handed import HandedSet, damage_kinds, hand_over, write_templates, wrong_with
from bench.system import cpu_seconds, drop_from_cache, own_system, paused
from dpps.composition.data import build_catalogue, build_inspectors, build_policy
from dpps.composition.ingest import build_ingest_crew, build_ingest_settings
from dpps.composition.principals import service_principal
from dpps.composition.state import StateFolder
from dpps.composition.storage import build_storage
from dpps.data.ingest.crew import Crew
from dpps.data.ingest.passes import ingest_pass
from dpps.data.ingest.values import IngestedFile
from dpps.data.ports import Registration
from dpps.data.publishing import enter_and_attach
from dpps.domain.files import FileContent
from dpps.domain.names import Lfn

__all__ = ["main"]

_ONSITE = "CTAO-NORTH"
_PEER = Path(sys.prefix).parent / ".envs" / "bdms-client" / "bin" / "python"
_SCRIPT = Path(__file__).parent / "peers" / "published_ingest.py"
_PEER_NAME = "ctao-bdms-clients"
_EVENTS = 10
_LARGE_FILES = 4
_BUFFER_BYTES = 8 * 1024 * 1024
_CATALOGUE = ("rucio-server", "postgres", "cache")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """How fast a set of files was ingested."""

    files_per_second: float
    cpu_ms_per_file: float
    """Of client, catalogue server and database together."""


@dataclass(slots=True)
class Bench:
    """What all measurements of one run share."""

    state: StateFolder
    templates: list[Path]
    crew: Crew
    sets: int = 0

    @property
    def storage(self) -> Path:
        """Root of the on-site storage."""
        return self.state.storage(_ONSITE)

    def next_folder(self) -> str:
        """Return the folder of a dataset of its own."""
        self.sets += 1
        return f"ctao/acada/DL0/LSTN-01/ctao-north/event/2026/02/{self.sets:02d}"

    def hand_over(self, files: int, *, damaged_every: int = 100) -> HandedSet:
        """Announce a new set of files."""
        folder = self.next_folder()
        return hand_over(self.storage, folder, self.templates, files=files, damaged_every=damaged_every)

    def ingest(self) -> tuple[float, list[IngestedFile]]:
        """Ingest everything that is announced; return the seconds and the results."""
        catalogue, policy = build_catalogue(self.state, "ingest"), build_policy(self.state)
        settings = build_ingest_settings(self.state, handover=self.storage)
        storage, inspectors = build_storage(self.state, "ingest"), build_inspectors()
        started = time.perf_counter()
        results = ingest_pass(
            service_principal("ingest"), catalogue, storage, inspectors, policy, settings, crew=self.crew
        )
        return time.perf_counter() - started, results


def _withdraw(handed: HandedSet) -> None:
    """Take back what a set still announces: it is not for the others."""
    for trigger in (handed.storage / handed.folder).glob("*.trigger"):
        trigger.unlink()


def ours(bench: Bench, files: int) -> Rate:
    """Measure our ingest; anything that is not right afterwards ends the benchmark."""
    handed = bench.hand_over(files)
    before = cpu_seconds(bench.state, *_CATALOGUE)
    seconds, results = bench.ingest()
    used = cpu_seconds(bench.state, *_CATALOGUE) - before
    wrong = wrong_with(handed, bench.state)
    if wrong or len(results) != files:
        raise SystemExit(f"{len(results)} results for {files} files; {len(wrong)} wrong: {wrong[:5]}")
    print(f"ours: {files} files in {seconds:.2f} s; all {len(handed.damaged)} damaged ones in quarantine")
    return Rate(files_per_second=files / seconds, cpu_ms_per_file=1e3 * used / files)


def peers(
    bench: Bench, files: int, processes: int, *, damaged_every: int = 100, catalogue_only: bool = False
) -> Rate:
    """Measure the published client, and print what it made of damaged files."""
    handed = bench.hand_over(files, damaged_every=0 if catalogue_only else damaged_every)
    home = bench.state.root.parent
    names, configuration = home / "files.json", home / "rucio.cfg"
    names.write_text(json.dumps([str(path) for path in handed.files]))
    _write_configuration(bench.state, configuration)
    command = [str(_PEER), str(_SCRIPT), f"--storage={handed.storage}", f"--rse={_ONSITE}"]
    command += [f"--files={names}", f"--processes={processes}"]
    environment = {
        "RUCIO_CONFIG": str(configuration),
        "HOME": str(home),
        "PATH": os.environ["PATH"],
        "TMPDIR": str(home),
    }
    before = cpu_seconds(bench.state, *_CATALOGUE)
    done = subprocess.run(
        [*command, *(["--catalogue-only"] if catalogue_only else [])],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    used = cpu_seconds(bench.state, *_CATALOGUE) - before
    if done.returncode != 0:
        raise SystemExit(f"the published client failed:\n{done.stderr[-3000:]}")
    told = json.loads(done.stdout.splitlines()[-1])
    _withdraw(handed)
    for path in handed.good:
        if told["outcomes"][str(path)] != "ingested":
            raise SystemExit(f"the published client: {path.name}: {told['outcomes'][str(path)]}")
    print(f"{_PEER_NAME}, {processes} processes: {files} files in {told['seconds']:.2f} s")
    for path, kind in handed.damaged.items():
        print(f"  of a damaged file ({kind}) it says: {told['outcomes'][str(path)]}"[:160])
    used += told["cpu_seconds"]
    return Rate(files_per_second=files / told["seconds"], cpu_ms_per_file=1e3 * used / files)


def _write_configuration(state: StateFolder, path: Path) -> None:
    configuration = configparser.RawConfigParser()
    configuration.read(state.rucio_client_config)
    login = {"account": "ingest", "username": "ingest", "password": state.secret("rucio-ingest")}
    configuration["client"].update(login)
    path.touch(mode=0o600)
    with path.open("w") as stream:
        configuration.write(stream)


def our_catalogue_rate(bench: Bench, files: int, batch: int = 200) -> float:
    """Return the files a second that enter the catalogue with metadata and rules; no file is read."""
    catalogue, policy = build_catalogue(bench.state, "ingest"), build_policy(bench.state)
    known = catalogue.files([Lfn(f"/{path.relative_to(bench.storage)}") for path in _one_archived(bench)])
    assert known[0] is not None
    dataset = f"/{bench.next_folder()}"
    entries = [
        Registration(
            lfn=Lfn(f"{dataset}/TEL001_SDH0001_20260214T210000_CHUNK{number:05d}.fits.fz"),
            rse=_ONSITE,
            content=FileContent(size_bytes=1_000_000 + number, adler32=f"{number:08x}"),
            metadata=known[0].metadata,
            dataset=dataset,
        )
        for number in range(files)
    ]
    started = time.perf_counter()
    for first in range(0, files, batch):
        part = entries[first : first + batch]
        catalogue.files([one.lfn for one in part])  # as the ingest does before it takes a name
        failed = [one for one in enter_and_attach(catalogue, policy, part) if one.error is not None]
        assert not failed, failed[0]
    return files / (time.perf_counter() - started)


def _one_archived(bench: Bench) -> list[Path]:
    handed = bench.hand_over(1, damaged_every=0)
    bench.ingest()
    return handed.files


def large_files(bench: Bench, template: Path) -> tuple[float, float]:
    """Return the MB/s of merely reading and checksumming files, and of their whole ingest.

    Both by the same worker processes, and both from the disk.
    """
    folder = bench.storage / bench.next_folder()
    folder.mkdir(parents=True)
    paths = [folder / f"TEL001_SDH0001_20260214T210000_CHUNK{n:05d}.fits.fz" for n in range(_LARGE_FILES)]
    for path in paths:
        shutil.copyfile(template, path)
        drop_from_cache(path)
    size_mb = len(paths) * template.stat().st_size / 1e6
    started = time.perf_counter()
    checksums = bench.crew.start(read_and_checksum, paths).results(lambda: False)
    reading = size_mb / (time.perf_counter() - started)
    assert len(set(checksums)) == 1, checksums
    for path in paths:
        drop_from_cache(path)
        path.with_name(f"{path.name}.trigger").symlink_to(path.name)
    seconds, results = bench.ingest()
    if any(one.error for one in results) or len(results) != len(paths):
        raise SystemExit(f"large files were not taken: {results}")
    for path in paths:
        path.unlink()
    return reading, size_mb / seconds


def read_and_checksum(path: Path) -> int:
    """Do what every ingest has to do at least; return the checksum."""
    checksum = 1
    with path.open("rb", buffering=0) as stream:
        while part := stream.read(_BUFFER_BYTES):
            checksum = zlib.adler32(part, checksum)
    return checksum


def _figures(bench: Bench, options: argparse.Namespace) -> list[Figure]:
    counts = [int(text) for text in options.processes.split(",")]
    own: list[Rate] = []
    published: dict[int, list[Rate]] = {count: [] for count in counts}
    for _ in range(options.rounds):
        own.append(ours(bench, options.files))
        for count in counts:
            published[count].append(peers(bench, options.peer_files, count))
    peers(bench, 2 * len(damage_kinds()), 1, damaged_every=2)  # not for its speed
    figures: list[Figure] = []
    for count in counts:
        peer = f"{_PEER_NAME}, {count} process{'es' if count > 1 else ''}"
        figures += [
            Figure(
                name=f"ingest, whole path, {options.files} × 1 MB",
                value=statistics.median(one.files_per_second for one in own),
                unit="files/s",
                more_is_better=True,
                aim_ratio={1: 40.0, 4: 20.0}.get(count),
                peer=statistics.median(one.files_per_second for one in published[count]),
                peer_source=peer,
            ),
            Figure(
                name="ingest, processor time, catalogue included",
                value=statistics.median(one.cpu_ms_per_file for one in own),
                unit="ms/file",
                peer=statistics.median(one.cpu_ms_per_file for one in published[count]),
                peer_source=peer,
            ),
        ]
    figures.append(
        Figure(
            name="ingest, catalogue only",
            value=our_catalogue_rate(bench, options.files),
            unit="files/s",
            more_is_better=True,
            peer=peers(bench, options.peer_files, 1, catalogue_only=True).files_per_second,
            peer_source=f"{_PEER_NAME}, 1 process, reading no file",
        )
    )
    if options.large_events:
        [template] = write_templates(bench.storage.parent / "large", files=1, events=options.large_events)
        measured = [large_files(bench, template) for _ in range(3)]
        reading, ingest = (statistics.median(column) for column in zip(*measured, strict=True))
        figures.append(
            Figure(
                name=f"ingest, {_LARGE_FILES} files of {template.stat().st_size / 1e9:.2g} GB, cold",
                value=ingest,
                unit="MB/s",
                more_is_better=True,
                aim_ratio=0.7,
                peer=reading,
                peer_source="reading and checksumming them, as many processes",
            )
        )
    return figures


def measure(options: argparse.Namespace) -> list[Figure]:
    """Start a system, measure, stop it."""
    done = subprocess.run(["scripts/setup", "bdms-client"], check=False)
    if done.returncode != 0:
        raise SystemExit("the peer cannot be installed")
    with own_system() as state:
        templates = write_templates(state.root.parent / "templates", files=20, events=_EVENTS)
        crew = build_ingest_crew(few=0)
        bench = Bench(state, templates, crew)
        try:
            ours(bench, 20)  # workers are started and everything is imported
            if options.replicating:
                return _figures(bench, options)
            with paused(state):
                return _figures(bench, options)
        finally:
            crew.close()


def parser() -> argparse.ArgumentParser:
    """Return the description of the command line."""
    described = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    described.add_argument("--files", type=int, default=1000)
    described.add_argument("--peer-files", type=int, default=100)
    described.add_argument("--processes", default="1,4", help="processes of the published client")
    described.add_argument("--rounds", type=int, default=2)
    described.add_argument(
        "--large-events", type=int, default=10_000, help="10 000 are 1 GB; 0: no large file"
    )
    described.add_argument("--replicating", action="store_true", help="daemons and transfers work meanwhile")
    return described


def main() -> None:
    """Measure and print."""
    options = parser().parse_args()
    print("machine:", machine())
    figures = measure(options)
    print_figures(figures)
    save_figures(figures, Path("reports") / "bench-ingest.json")


if __name__ == "__main__":
    main()
