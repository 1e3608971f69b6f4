"""What lies in quarantine, as the reasons beside the files tell.

They lie among files of others, so what they say is not trusted about places.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from dpps.data.fixity import local_error
from dpps.data.handover import INVALID_RAW_LEVEL, QUARANTINE_FOLDER, RAW_LEVEL, trigger_of
from dpps.domain.errors import InvalidInput, NotFound
from dpps.domain.principals import Action, Principal, authorize

__all__ = [
    "RELEASED",
    "QuarantinedFile",
    "find_quarantined",
    "find_reason",
    "identity_of",
    "is_same",
    "list_quarantined",
    "places_in_quarantine",
    "quarantine_root",
    "quarantined_file",
    "read_reason",
    "reason_of",
    "remove_company",
    "write_reason",
]

_REASON = ".reason.json"
RELEASED = "released"
"""Of a reason: the identity of the file that is being given back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantinedFile:
    """A file in quarantine, and why."""

    path: Path
    """Where it lies now: in quarantine, or at its place when a release was killed before it was announced."""
    handed: str
    """Where it was handed over: path below the hand-over folder."""
    code: str
    reason: str
    next_step: str
    quarantined_at: datetime
    """UTC."""
    size_bytes: int | None
    """None where it could not be read to its end, as for the checksum."""
    adler32: str | None
    software: str
    """Name and version of the software that judged it."""


def list_quarantined(principal: Principal, root: Path) -> list[QuarantinedFile]:
    """Return the quarantined files of a hand-over folder, by path.

    Raises
    ------
    NotAuthorized
        When the principal may not read.
    """
    authorize(principal, Action.READ, str(root))
    return [file for _, file in _quarantined_files(root)]


def find_quarantined(principal: Principal, root: Path, name: str) -> QuarantinedFile:
    """Return one quarantined file.

    Parameters
    ----------
    principal : Principal
        Who asks.
    root : Path
        The hand-over folder.
    name : str
        The file: where it lies, or where it was handed over, below the folder or absolute; or its name
        without folders, where only one has it.

    Raises
    ------
    NotAuthorized
        When the principal may not read.
    NotFound
        When there is no such file in quarantine.
    InvalidInput
        When several have this name.
    """
    authorize(principal, Action.READ, str(root))
    return find_reason(root, name)[1]


def places_in_quarantine(root: Path, relative: str) -> Iterator[Path]:
    """Yield the places for a file in quarantine: a second bad file of the same name lies beside the first."""
    parts = relative.split("/")
    if len(parts) > 3 and parts[2] == RAW_LEVEL:
        place = root.joinpath(*parts[:2], INVALID_RAW_LEVEL, *parts[3:])
    else:
        place = root / QUARANTINE_FOLDER / relative
    yield place
    for number in count(2):
        yield place.with_name(f"{place.name}~{number}")


def quarantine_root(path: Path) -> Path | None:
    """Return the hand-over folder in whose quarantine an absolute path lies, as far as the path tells."""
    for folder in path.parents if path.is_absolute() else ():
        if folder.name == QUARANTINE_FOLDER:
            return folder.parent
        if folder.name == INVALID_RAW_LEVEL and len(folder.parents) > 3:
            return folder.parents[2]
    return None


def identity_of(path: Path) -> list[int]:
    """Return what tells a file from another of its name, wherever it is moved to in one file system."""
    status = path.lstat()
    return [status.st_ino, status.st_mtime_ns]


def is_same(one: Path, other: Path) -> bool:
    """Tell whether two names are of one file: a release was killed after the first of its steps."""
    return os.path.samestat(one.lstat(), other.lstat())


def remove_company(target: Path) -> None:
    """Remove what lies beside a file that is not in quarantine any more; the reason last."""
    trigger_of(target).unlink(missing_ok=True)
    reason_of(target).unlink(missing_ok=True)


def reason_of(target: Path) -> Path:
    """Return where the reason of a file in quarantine is."""
    return target.with_name(target.name + _REASON)


def write_reason(target: Path, told: dict[str, Any]) -> None:
    """Write what is known of a file in quarantine beside it, in place of what was known."""
    reason = reason_of(target)
    temporary = reason.with_name(f".{reason.name}.{os.getpid()}")
    with temporary.open("w") as stream:
        json.dump(told, stream, indent=2)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(reason)


def read_reason(target: Path) -> dict[str, Any] | None:
    """Return what the reason says: None when there is none, nothing when it cannot be understood."""
    reason = reason_of(target)
    try:
        found = json.loads(reason.read_text())
    except FileNotFoundError:
        return None
    except OSError as wrong:
        raise local_error(wrong, reason) from wrong
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def quarantined_file(root: Path, target: Path, facts: dict[str, Any]) -> QuarantinedFile:
    """Return a file in quarantine as its reason describes it."""
    told_at, size_bytes, adler32 = facts.get("quarantined_at"), facts.get("size_bytes"), facts.get("adler32")
    return QuarantinedFile(
        path=target,
        handed=_handed_place(root, target),
        code=str(facts.get("code", "quarantine-reason-invalid")),
        reason=str(facts.get("reason", f"{reason_of(target)} does not say it")),
        next_step=str(facts.get("next_step", "look at the file, then release or discard it")),
        quarantined_at=_moment(told_at) or _written_at(reason_of(target)),
        size_bytes=size_bytes if isinstance(size_bytes, int) else None,
        adler32=adler32 if isinstance(adler32, str) else None,
        software=str(facts.get("software", "unknown")),
    )


def _written_at(reason: Path) -> datetime:
    return datetime.fromtimestamp(reason.lstat().st_mtime, UTC)


def _moment(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text)).astimezone(UTC)
    except ValueError:
        return None


def _handed_place(root: Path, target: Path) -> str:
    """Return the path below the hand-over folder from which a quarantined file came."""
    parts = list(target.relative_to(root).parts)
    name, tilde, number = parts[-1].rpartition("~")
    if tilde and number.isdigit():
        parts[-1] = name
    if parts[0] == QUARANTINE_FOLDER:
        return "/".join(parts[1:])
    return "/".join([*parts[:2], RAW_LEVEL, *parts[3:]])


def _reasons(root: Path) -> Iterator[Path]:
    for folder in [root / QUARANTINE_FOLDER, *root.glob(f"*/*/{INVALID_RAW_LEVEL}")]:
        yield from (path for path in folder.rglob(f"*{_REASON}") if not path.name.startswith("."))


def find_reason(root: Path, name: str) -> tuple[Path, QuarantinedFile]:
    """Return one quarantined file and the place in quarantine that its reason is of.

    Raises
    ------
    NotFound
        When there is no such file in quarantine.
    InvalidInput
        When a name without folders is that of several.
    """
    wanted = Path(name)
    namesakes: list[tuple[Path, QuarantinedFile]] = []
    for target, file in _quarantined_files(root):
        if wanted in (target, target.relative_to(root), Path(file.handed), root / file.handed):
            return target, file
        if name in (target.name, Path(file.handed).name):
            namesakes.append((target, file))
    if len(namesakes) == 1:
        return namesakes[0]
    if namesakes:
        raise InvalidInput(
            f"{len(namesakes)} files in the quarantine of {root} are named {name}",
            code="quarantine-ambiguous",
            next_step=f"give the path of one, e.g. {namesakes[0][0].relative_to(root)}",
            path=name,
        )
    raise NotFound(
        f"{name} is not in the quarantine of {root}",
        code="quarantine-unknown",
        next_step=f"list what is there: dpps ingest quarantine list {root}",
        path=name,
    )


def _quarantined_files(root: Path) -> Iterator[tuple[Path, QuarantinedFile]]:
    for reason in sorted(_reasons(root)):
        target = reason.with_name(reason.name.removesuffix(_REASON))
        facts = read_reason(target)
        if facts is None:
            continue
        place = root / _handed_place(root, target)
        if target.exists(follow_symlinks=False):
            yield target, quarantined_file(root, target, facts)
        elif _is_half_released(place, facts):
            yield target, replace(quarantined_file(root, target, facts), path=place)


def _is_half_released(place: Path, facts: dict[str, Any]) -> bool:
    """Tell whether a killed release has given this very file back and not announced it."""
    if trigger_of(place).exists(follow_symlinks=False) or not place.exists(follow_symlinks=False):
        return False
    return facts.get(RELEASED) == identity_of(place)
