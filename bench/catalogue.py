"""Measure questions to a catalogue with many files in it.

usage: python -m bench.catalogue [--files 100000] [--pages 30]

The files are written straight into the database of a new system (`bench.fill_catalogue`). Some of them are at
the storages too, as large as they say and without bytes: the audit compares sizes. Daemons and preservation
are held still. Every question is asked once to warm up, then five times: the median counts, and the slowest
is printed. Memory is that of the server and of this process, before and after leafing, and at the end; the
files are written by a process of their own, which does not count.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import psutil

from bench.figures import Figure, machine, print_figures, save_figures
from bench.fill_catalogue import SCOPE, TOP, Generated
from bench.system import catalogue_database, dpps, memory_bytes, own_system, paused
from dpps.composition.data import build_catalogue
from dpps.composition.preservation import build_preservation
from dpps.composition.principals import local_principal
from dpps.composition.rucio_accounts import connect_account
from dpps.composition.state import StateFolder
from dpps.composition.why import open_why
from dpps.data.audit.comparing import take_stock
from dpps.data.audit.records import CopyKey
from dpps.data.ports import Catalogue, ReplicationRule
from dpps.data.query import find_page
from dpps.data.why.observing import why
from dpps.domain.names import Lfn

__all__ = ["main", "measure"]

_REPEATS = 5
_PAGE = 100
_PAGE_SECONDS, _WHY_SECONDS = 0.5, 1.0
_PER_DATASET = 500
_RULE_FILES = 10_000
_AUDITED = 10_000
"""Files that are at the storages."""
_BESIDE = ("rucio-daemons", "preservation", "workload")


def _seconds(name: str, question: Callable[[], object]) -> float:
    """Return the median time of an answer."""
    question()
    measured: list[float] = []
    for _ in range(_REPEATS):
        started = time.perf_counter()
        question()
        measured.append(time.perf_counter() - started)
    print(f"{name}: {statistics.median(measured):.3f} s, slowest {max(measured):.3f} s")
    return statistics.median(measured)


def _query_figures(state: StateFolder, middle: Generated) -> list[Figure]:
    principal, catalogue = local_principal(state), build_catalogue(state, "reader")
    expressions = {
        "one observation": f"instance__obs_id = {middle.obs_id}",
        "a set of telescopes in one night": (
            f"instance__ae_id in (1, 4, {middle.telescope}) and "
            f"instance__observing_night = '{middle.night:%Y-%m-%d}'"
        ),
        "a range of numbers": f"sb_id >= {middle.sb_id} and sb_id < {middle.sb_id + 40}",
        "half of all files": f"obs_id >= {middle.obs_id}",
    }
    figures = []
    for name, expression in expressions.items():

        def ask(expression: str = expression) -> None:
            page = find_page(principal, catalogue, expression, limit=_PAGE)
            assert page.files, expression

        seconds = _seconds(name, ask)
        figures.append(Figure(name=f"page of a query: {name}", value=seconds, unit="s", aim=_PAGE_SECONDS))
    return figures


def _why_figures(state: StateFolder, middle: Generated) -> list[Figure]:
    principal = local_principal(state)
    with open_why(state) as parts:

        def ask(name: str) -> Callable[[], object]:
            return lambda: why(principal, parts, name)

        asked = {"a file": ask(middle.name), "a dataset of 500 files": ask(middle.dataset)}
        return [
            Figure(name=f"why: {name}", value=_seconds(name, question), unit="s", aim=_WHY_SECONDS)
            for name, question in asked.items()
        ]


def _command_figure(state: StateFolder, middle: Generated) -> Figure:
    seconds = _seconds(
        "command why", lambda: dpps("data", "why", middle.name, "--json", "--state", str(state.root))
    )
    return Figure(name="`dpps data why`, start of the program included", value=seconds, unit="s")


def _audit_figures(state: StateFolder, files: int) -> list[Figure]:
    parts = build_preservation(state)
    try:
        parts.prepare()
        archive, audited = parts.connect(), min(files, _AUDITED)
        started = time.perf_counter()
        for dataset in sorted({one.dataset for one in _generated(0, audited)}):
            take_stock(archive.catalogue, archive.control, dataset)
        stock = time.perf_counter() - started
        for first in range(audited, files, _PER_DATASET):
            members = _generated(first, first + _PER_DATASET)
            copies = {CopyKey(Lfn(one.name), rse) for one in members for rse in one.storages()}
            parts.evidence.take_stock(members[0].dataset, copies)
        rses = [element.rse for element in archive.catalogue.storage_elements()]
        before = parts.reader.clock() + timedelta(days=1)

        def plan() -> None:
            found = [parts.evidence.oldest(rse, before, parts.audit.copies_per_round) for rse in rses]
            assert any(found)

        return [
            Figure(
                name="audit: stock, sizes compared",
                value=audited / stock,
                unit="files/s",
                more_is_better=True,
            ),
            Figure(name=f"audit: plan of {files} files", value=_seconds("plan", plan), unit="s"),
        ]
    finally:
        parts.close()


def _memory_figures(state: StateFolder, pages: int) -> list[Figure]:
    """Leaf through the archive; return how the memory of server and client grew after the first pages."""
    principal, catalogue = local_principal(state), build_catalogue(state, "reader")
    after: str | None = None
    own, server = 0, 0
    for number in range(pages):
        page = find_page(principal, catalogue, "data__level = 'DL0'", after=after, limit=1000)
        after = page.after
        if number == pages // 3:
            own, server = psutil.Process().memory_info().rss, memory_bytes(state, "rucio-server")
        if after is None:
            break
    grown_own = psutil.Process().memory_info().rss - own
    grown_server = memory_bytes(state, "rucio-server") - server
    leafed = f"leafing through {pages * 2 // 3} pages of 1000 files"
    return [
        Figure(name=f"memory of the client, {leafed}", value=grown_own / 1e6, unit="MB more"),
        Figure(name=f"memory of the server, {leafed}", value=grown_server / 1e6, unit="MB more"),
    ]


def _most_memory_figures(state: StateFolder) -> list[Figure]:
    """Return the most memory that this process ever had, and what the server has after everything."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # kilobytes, on Linux
    return [
        Figure(name="memory of the client, at most in the whole run", value=most / 1e6, unit="MB"),
        Figure(
            name="memory of the server, its three processes, after the run",
            value=memory_bytes(state, "rucio-server") / 1e6,
            unit="MB",
        ),
    ]


def _rule_figure(state: StateFolder, files: int) -> Figure:
    """Evaluate one rule over a dataset of many files."""
    catalogue = build_catalogue(state, "ingest")
    dataset = _one_dataset(state, catalogue, min(files, _RULE_FILES))
    started = time.perf_counter()
    rule = ReplicationRule(dataset=dataset, copies=2, expression="DESY-ZEUTHEN|FRASCATI")
    rule_id = catalogue.ensure_rule(rule)
    seconds = time.perf_counter() - started
    with catalogue_database(state) as database:
        row = database.execute("select count(*) from locks where rule_id = %s", [rule_id]).fetchone()
    locks = row[0] if row else 0
    assert locks == 2 * min(files, _RULE_FILES), locks
    return Figure(
        name=f"rule evaluation, {locks // 2} files × 2 copies",
        value=locks / seconds,
        unit="copies/s",
        more_is_better=True,
    )


def _one_dataset(state: StateFolder, catalogue: Catalogue, files: int) -> str:
    """Attach files that are there already to a dataset of their own."""
    dataset = f"{TOP}/bench/rule"
    with catalogue_database(state) as database:
        rows = database.execute(
            "select name from dids where scope = %s and did_type = 'F' order by name limit %s", [SCOPE, files]
        ).fetchall()
    connect_account(state, "ingest").add_dataset(SCOPE, dataset)
    catalogue.attach(dataset, [Lfn(name) for (name,) in rows])
    return dataset


def _fill(state: StateFolder, files: int) -> None:
    command = [sys.executable, "-m", "bench.fill_catalogue", f"--state={state.root}"]
    subprocess.run([*command, f"--files={files}", f"--per-dataset={_PER_DATASET}"], check=True)
    for one in _generated(0, min(files, _AUDITED)):
        for rse in one.storages():
            path = Path(f"{state.storage(rse)}{one.name}")
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as hole:
                hole.truncate(one.size_bytes)


def _generated(first: int, end: int) -> list[Generated]:
    return [Generated(number, _PER_DATASET) for number in range(first, end)]


def measure(options: argparse.Namespace) -> list[Figure]:
    """Start a system, fill it, measure, stop it."""
    with own_system("--storage", "posix") as state, paused(state, _BESIDE):
        started = time.perf_counter()
        _fill(state, options.files)
        print(f"{options.files} files written in {time.perf_counter() - started:.1f} s")
        middle = Generated(options.files // 2, _PER_DATASET)
        return [
            *_query_figures(state, middle),
            *_why_figures(state, middle),
            _command_figure(state, middle),
            *_memory_figures(state, options.pages),
            *_audit_figures(state, options.files),
            _rule_figure(state, options.files),
            *_most_memory_figures(state),
        ]


def parser() -> argparse.ArgumentParser:
    """Return the description of the command line."""
    described = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    described.add_argument("--files", type=int, default=100_000)
    described.add_argument("--pages", type=int, default=30, help="pages of 1000 files to leaf through")
    return described


def main() -> None:
    """Measure and print."""
    options = parser().parse_args()
    print("machine:", machine())
    figures = measure(options)
    print_figures(figures)
    save_figures(figures, Path("reports") / "bench-catalogue.json")


if __name__ == "__main__":
    main()
