"""Sets of handed-over files for measurements, some of them damaged, and what became of them by raw means."""

from __future__ import annotations

import subprocess
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path

from bench.system import catalogue_database, drop_from_cache
from dpps.composition.state import StateFolder

__all__ = ["HandedSet", "damage_kinds", "hand_over", "write_templates", "wrong_with"]

_ROOT = Path(__file__).parent
_PIPELINES = Path(sys.prefix).parent / ".envs" / "pipelines" / "bin" / "python"
_BLOCK = 2880
"""FITS files consist of blocks of so many bytes."""


@dataclass(slots=True)
class HandedSet:
    """Files that are announced in one folder of an on-site storage."""

    storage: Path
    folder: str
    """Below the storage: the dataset's name without its first slash."""
    good: dict[Path, str] = field(default_factory=dict)
    """Intact files with their checksums."""
    damaged: dict[Path, str] = field(default_factory=dict)
    """Damaged files with the kind of damage."""

    @property
    def files(self) -> list[Path]:
        """All files, by name: damaged ones in between."""
        return sorted([*self.good, *self.damaged])

    def lfn(self, path: Path) -> str:
        """Return the logical name that a file gets."""
        return f"/{path.relative_to(self.storage)}"


def write_templates(folder: Path, *, files: int, events: int) -> list[Path]:
    """Have the pipelines environment write streams; a failure ends the benchmark."""
    command = [str(_PIPELINES), str(_ROOT / "peers" / "write_streams.py"), str(folder)]
    options = [f"--files={files}", f"--events={events}"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"no streams: {done.stderr}\nrun: scripts/setup pipelines")
    return sorted(folder.glob("*.fits.fz"))


def damage_kinds() -> dict[str, Callable[[bytes], bytes]]:
    """Return the ways in which files are damaged."""

    def flipped(content: bytes) -> bytes:
        place = len(content) * 2 // 3
        return content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :]

    return {
        "flipped byte": flipped,
        "cut in the last table": lambda content: content[: len(content) * 4 // 5],
        "empty": lambda _content: b"",
        "cut in the header of the second table": lambda content: content[: _second_table(content) + 800],
        "bytes behind the end": lambda content: content + b"\1" * _BLOCK,
    }


def _second_table(content: bytes) -> int:
    """Return where the header of the second table begins."""
    starts = [at for at in range(0, len(content), _BLOCK) if content[at : at + 8] == b"XTENSION"]
    return starts[1]


def hand_over(
    storage: Path, folder: str, templates: list[Path], *, files: int, damaged_every: int = 100
) -> HandedSet:
    """Write files into an on-site storage and announce them.

    Parameters
    ----------
    storage : Path
        Root of the storage.
    folder : str
        Where below it.
    templates : list of Path
        Contents, used in turn.
    files : int
        How many, the damaged ones included.
    damaged_every : int
        One file of so many is damaged; every kind of damage in turn.
    """
    handed = HandedSet(storage, folder)
    place = storage / folder
    place.mkdir(parents=True)
    contents = [template.read_bytes() for template in templates]
    kinds = cycle(damage_kinds().items())
    for number, content in enumerate(islice(cycle(contents), files)):
        path = place / (
            f"TEL001_SDH0001_20260214T210000_SBID{2_000_000_001:019d}_OBSID{2_000_000_001:019d}"
            f"_CHUNK{number:05d}.fits.fz"
        )
        if damaged_every and number % damaged_every == damaged_every // 2:
            kind, damage = next(kinds)
            path.write_bytes(damage(content))
            handed.damaged[path] = kind
        else:
            path.write_bytes(content)
            handed.good[path] = f"{zlib.adler32(content):08x}"
        drop_from_cache(path)
        path.with_name(f"{path.name}.trigger").symlink_to(path.name)
    return handed


def wrong_with(handed: HandedSet, state: StateFolder) -> list[str]:
    """Return what is not as it has to be after the ingest of a set; asks disk and database only.

    Good files are in place with the same bytes, in the catalogue with size and checksum, members of their
    dataset, which has rules; damaged ones are out of the archive's tree, with a reason, and unknown.
    """
    dataset = f"/{handed.folder}"
    wrong: list[str] = []
    with catalogue_database(state) as database:
        rows = database.execute(
            "select d.name, d.bytes, d.adler32 from dids d join contents c on c.child_scope = d.scope"
            " and c.child_name = d.name join replicas r on r.scope = d.scope and r.name = d.name"
            " where c.name = %s and r.state = 'A'",
            [dataset],
        ).fetchall()
        known = database.execute("select name from dids where name like %s", [f"{dataset}/%"]).fetchall()
        metadata = database.execute("select count(*) from did_meta where name like %s", [f"{dataset}/%"])
        described = metadata.fetchone()
        rules = database.execute("select count(*) from rules where name = %s", [dataset]).fetchone()
    members = {name: (size, adler32) for name, size, adler32 in rows}
    for path, adler32 in handed.good.items():
        if members.get(handed.lfn(path)) != (path.stat().st_size, adler32):
            wrong.append(f"{path.name} is not in the catalogue as it was handed over")
        if f"{zlib.adler32(path.read_bytes()):08x}" != adler32:
            wrong.append(f"{path.name} has other bytes now")
        if path.with_name(f"{path.name}.trigger").is_symlink():
            wrong.append(f"{path.name} is still announced")
    names = {name for (name,) in known}
    for path, kind in handed.damaged.items():
        if handed.lfn(path) in names:
            wrong.append(f"{path.name} ({kind}) is in the catalogue")
        aside = Path(str(path).replace("/DL0/", "/INVALID_DL0/"))
        if path.exists() or not aside.with_name(f"{aside.name}.reason.json").exists():
            wrong.append(f"{path.name} ({kind}) is not in quarantine with its reason")
    if described is None or described[0] != len(handed.good):
        wrong.append(f"{described} files have metadata")
    if rules is None or not rules[0]:
        wrong.append("the dataset has no rule")
    return wrong
