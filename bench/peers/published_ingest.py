"""Ingest files with the published client, ``ctao-bdms-clients``, and say how long it took.

usage (in the environment bdms-client, RUCIO_CONFIG set):
    python bench/peers/published_ingest.py --storage DIR --rse RSE --files LIST --processes N
                                           [--catalogue-only]

LIST is a JSON list of paths. Every process makes its client and waits for the others; then the clock runs
until the last one is done. Prints one JSON object. With ``--catalogue-only`` no file is read: checksum and
metadata are those of the first one.
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import sys
import time
from pathlib import Path
from typing import Any


def _share(options: argparse.Namespace, files: list[str], number: int, start: Any, results: Any) -> None:
    from bdms import acada_ingestion as published

    logging.disable(logging.CRITICAL)  # every "exists already" is a line otherwise
    client = published.IngestionClient(options.storage, options.rse)
    if options.catalogue_only:
        known = published.verify_and_extract_metadata(files[0])
        published.verify_and_extract_metadata = lambda _path: (known[0], dict(known[1]))
        published.adler32 = lambda _path: "00000001"
    start.wait()
    before = time.process_time()
    outcomes = {}
    for path in files[number :: options.processes]:
        try:
            skipped = published.process_file(client, path).skip_reason
            outcomes[path] = "ingested" if skipped is None else skipped.name
        except Exception as wrong:  # whatever it is, it is what the client makes of the file
            outcomes[path] = f"{type(wrong).__name__}: {wrong}"
    results.put((outcomes, time.process_time() - before))


def main() -> None:
    """Read the command line, run, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--storage", type=Path, required=True)
    parser.add_argument("--rse", required=True)
    parser.add_argument("--files", type=Path, required=True)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--catalogue-only", action="store_true")
    options = parser.parse_args()
    files = json.loads(options.files.read_text())
    context = multiprocessing.get_context("spawn")
    start, results = context.Barrier(options.processes + 1), context.Queue()
    workers = [
        context.Process(target=_share, args=(options, files, number, start, results))
        for number in range(options.processes)
    ]
    for worker in workers:
        worker.start()
    start.wait(120)
    started = time.perf_counter()
    outcomes: dict[str, str] = {}
    cpu_seconds = 0.0
    for _ in workers:
        share, used = results.get()
        outcomes |= share
        cpu_seconds += used
    seconds = time.perf_counter() - started
    for worker in workers:
        worker.join()
    json.dump({"seconds": seconds, "cpu_seconds": cpu_seconds, "outcomes": outcomes}, sys.stdout)


if __name__ == "__main__":
    main()
