"""Fill the catalogue of a running system with many files at once, for measurements of scale.

usage: python -m bench.fill_catalogue --state DIR [--files 100000] [--per-dataset 500] [--first 0]

Writes straight into the tables of Rucio: what the interface would make of the same files, in seconds
instead of minutes. Every dataset is the night of one telescope: complete copies at two off-site storages,
some on site too, and one satisfied rule. No bytes exist at the storages. Names depend on the number of the
file only, so that a second call with another ``--first`` adds others.
"""

from __future__ import annotations

import argparse
import json
import time
import uuid
import zlib
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from dpps.composition.instance import Instance
from dpps.composition.state import StateFolder

SCOPE, ACCOUNT, TOP = "acada", "ingest", "/ctao/acada/DL0"
TELESCOPES, FIRST_NIGHT = 13, date(2026, 1, 1)
ONSITE, OFFSITE = "CTAO-NORTH", ("CSCS", "PIC")
RECENT_NIGHTS = 7
RULE = "OFFSITE=True"
NAMES = uuid.UUID("6b0f2f1c-6a3e-4b52-9a39-1f6f6f6f0001")

DIDS = (
    "scope name account did_type is_open monotonic hidden obsolete complete is_new availability suppressed "
    "bytes length adler32 purge_replicas transient created_at updated_at"
)
CONTENTS = "scope name child_scope child_name did_type child_type bytes adler32 created_at updated_at"
REPLICAS = "rse_id scope name bytes adler32 state lock_cnt created_at updated_at"
LOCKS = "scope name rule_id rse_id account bytes state repair_cnt created_at updated_at"
RULES = (
    "id account scope name did_type state rse_expression copies locked locks_ok_cnt locks_replicating_cnt "
    "locks_stuck_cnt activity grouping notification purge_replicas ignore_availability ignore_account_limit "
    "priority split_container created_at updated_at"
)
DATASET_LOCKS = "scope name rule_id rse_id account state length bytes created_at updated_at"


class Generated:
    """One file: its name, content and metadata, computed from its number."""

    def __init__(self, number: int, per_dataset: int) -> None:
        dataset, self.place = divmod(number, per_dataset)
        night_number, telescope = divmod(dataset, TELESCOPES)
        self.telescope = telescope + 1
        self.night = FIRST_NIGHT + timedelta(days=night_number)
        self.obs_id = 2_000_000_000 + dataset * 10 + self.place // 100
        self.sb_id = 2_000_000_000 + dataset
        self.chunk = self.place % 100
        self.recent = night_number < RECENT_NIGHTS
        self.dataset = f"{TOP}/TEL-{self.telescope:02d}/ctao-north/event/{self.night:%Y/%m/%d}"
        self.name = (
            f"{self.dataset}/TEL{self.telescope:03d}_SDH0001_{self.night:%Y%m%d}T210000_"
            f"SBID{self.sb_id:019d}_OBSID{self.obs_id:019d}_CHUNK{self.chunk:03d}.fits.fz"
        )
        self.size_bytes = 1_000_000 + number % 100_000
        self.adler32 = f"{zlib.adler32(self.name.encode()):08x}"

    def metadata(self) -> dict[str, Any]:
        """Flat product metadata as the ingestion of a raw stream writes them."""
        start = datetime(self.night.year, self.night.month, self.night.day, 21, tzinfo=UTC)
        start += timedelta(minutes=self.place)
        start_time = f"{start:%Y-%m-%dT%H:%M:%S}.000000000"
        end_time = f"{start + timedelta(minutes=1):%Y-%m-%dT%H:%M:%S}.000000000"
        return {
            "ctao_metadata_version": "2.1.0",
            "description": "generated for measurements",
            "data__level": "DL0",
            "data__division": "Event",
            "data__association": "Telescope",
            "data__type": "AirShower",
            "instance__id": str(uuid.uuid5(NAMES, self.name)),
            "instance__obs_id": self.obs_id,
            "instance__ae_id": self.telescope,
            "instance__ae_class": "TEL",
            "instance__chunk_id": self.chunk,
            "instance__site_id": "CTAO-North",
            "instance__observing_night": f"{self.night:%Y-%m-%d}",
            "instance__data_source": "SDH0001",
            "observation__coverage__time__t_min": start_time,
            "observation__coverage__time__t_max": end_time,
            "acquisition__sb_id": self.sb_id,
            "creation_time": end_time,
            "observatory": "CTAO",
            "start_time": start_time,
            "end_time": end_time,
            "sb_id": self.sb_id,
            "obs_id": self.obs_id,
            "tel_ids": [self.telescope],
            "valid_fits_checksum": True,
            "dpps__schema": 1,
            "dpps__valid_checksums": True,
        }

    def storages(self) -> tuple[str, ...]:
        """Where its copies are."""
        return (*OFFSITE, ONSITE) if self.recent else OFFSITE


def _copy(
    connection: psycopg.Connection[Any], table: str, columns: str, rows: Iterable[tuple[Any, ...]]
) -> None:
    named = ", ".join(f'"{column}"' for column in columns.split())
    with connection.cursor() as cursor, cursor.copy(f"copy {table} ({named}) from stdin".encode()) as copy:
        for row in rows:
            copy.write_row(row)


def _did_row(
    name: str, kind: str, size_bytes: int, length: int, adler32: str | None, now: datetime
) -> tuple[Any, ...]:
    open_collection = None if kind == "F" else True
    return (
        SCOPE, name, ACCOUNT, kind, open_collection, False, False, False, None, False, "A", False,
        size_bytes, length, adler32, True, False, now, now,
    )  # fmt: skip


def _folders(datasets: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield each link of the hierarchy, upper and lower name, once."""
    seen: set[tuple[str, str]] = set()
    for dataset in datasets:
        lower = dataset
        while lower != TOP:
            upper = lower.rsplit("/", 1)[0]
            if (upper, lower) not in seen:
                seen.add((upper, lower))
                yield upper, lower
            lower = upper


def _fill(connection: psycopg.Connection[Any], files: list[Generated]) -> None:
    now = datetime.now(UTC).replace(tzinfo=None)
    rses = dict(connection.execute("select rse, id from rses").fetchall())
    members: dict[str, list[Generated]] = {}
    for file in files:
        members.setdefault(file.dataset, []).append(file)
    links = list(_folders(members))
    rules = {dataset: uuid.uuid5(NAMES, dataset) for dataset in members}
    present = {
        name
        for (name,) in connection.execute("select name from dids where scope=%s and did_type<>'F'", [SCOPE])
    }
    containers = {upper for upper, _ in links} - present
    _copy(connection, "dids", DIDS, (_did_row(name, "C", 0, 0, None, now) for name in sorted(containers)))
    _copy(
        connection, "dids", DIDS,
        (_did_row(name, "D", 0, len(own), None, now) for name, own in members.items()),
    )  # fmt: skip
    _copy(
        connection, "dids", DIDS,
        (_did_row(file.name, "F", file.size_bytes, 1, file.adler32, now) for file in files),
    )  # fmt: skip
    _copy(
        connection, "contents", CONTENTS,
        (
            (SCOPE, upper, SCOPE, lower, "C", "D" if lower in members else "C", None, None, now, now)
            for upper, lower in links
            if lower not in present
        ),
    )  # fmt: skip
    _copy(
        connection, "contents", CONTENTS,
        (
            (SCOPE, file.dataset, SCOPE, file.name, "D", "F", file.size_bytes, file.adler32, now, now)
            for file in files
        ),
    )  # fmt: skip
    _copy(
        connection, "did_meta", "scope name meta did_type created_at updated_at",
        ((SCOPE, file.name, json.dumps(file.metadata()), "F", now, now) for file in files),
    )  # fmt: skip
    _copy(
        connection, "replicas", REPLICAS,
        (
            (
                rses[rse], SCOPE, file.name, file.size_bytes, file.adler32, "A",
                int(rse in OFFSITE), now, now,
            )
            for file in files
            for rse in file.storages()
        ),
    )  # fmt: skip
    _rules(connection, members, rules, rses, now)


def _rules(
    connection: psycopg.Connection[Any],
    members: dict[str, list[Generated]],
    rules: dict[str, uuid.UUID],
    rses: dict[str, Any],
    now: datetime,
) -> None:
    """One rule a dataset, satisfied, with its locks."""
    copies = len(OFFSITE)
    _copy(
        connection, "rules", RULES,
        (
            (
                rules[name], ACCOUNT, SCOPE, name, "D", "O", RULE, copies, False, copies * len(own), 0, 0,
                "User Subscriptions", "D", "N", False, False, False, 3, False, now, now,
            )
            for name, own in members.items()
        ),
    )  # fmt: skip
    _copy(
        connection, "locks", LOCKS,
        (
            (SCOPE, file.name, rules[name], rses[rse], ACCOUNT, file.size_bytes, "O", 0, now, now)
            for name, own in members.items()
            for file in own
            for rse in OFFSITE
        ),
    )  # fmt: skip
    _copy(
        connection, "dataset_locks", DATASET_LOCKS,
        (
            (
                SCOPE, name, rules[name], rses[rse], ACCOUNT, "O", len(own),
                sum(file.size_bytes for file in own), now, now,
            )
            for name, own in members.items()
            for rse in OFFSITE
        ),
    )  # fmt: skip


def fill(folder: StateFolder, *, files: int, per_dataset: int, first: int = 0) -> None:
    """Add files to the catalogue, in one transaction, and have the database count them.

    Parameters
    ----------
    folder : StateFolder
        A running system.
    files : int
        How many.
    per_dataset : int
        How many a dataset; ``first`` must be a multiple of it.
    first : int
        Number of the first file.
    """
    url = Instance.load(folder).database(folder, "rucio").replace("+psycopg", "")
    generated = [Generated(number, per_dataset) for number in range(first, first + files)]
    with psycopg.connect(url, options="-c search_path=dev,rucio,public") as connection:
        _fill(connection, generated)
    with psycopg.connect(url, autocommit=True, options="-c search_path=dev,rucio,public") as connection:
        connection.execute("analyze")


def main() -> None:
    """Read the command line, fill, say how long it took."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--state", type=Path, required=True, help="state folder of the running system")
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--per-dataset", type=int, default=500)
    parser.add_argument("--first", type=int, default=0, help="number of the first file")
    options = parser.parse_args()
    if options.first % options.per_dataset:
        parser.error("--first must be a multiple of --per-dataset")
    started = time.perf_counter()
    fill(
        StateFolder(options.state.absolute()),
        files=options.files,
        per_dataset=options.per_dataset,
        first=options.first,
    )
    print(f"{options.files} files in {time.perf_counter() - started:.1f} s")


if __name__ == "__main__":
    main()
