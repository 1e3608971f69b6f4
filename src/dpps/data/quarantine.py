"""Quarantine: where files that are wrong themselves go, with the reason beside them.

A raw file ``<vo>/<scope>/DL0/…`` goes to ``<vo>/<scope>/INVALID_DL0/…``, any other to ``quarantine/…``, both
below the hand-over folder, so that a move is one rename. Beside it lie its trigger and
``<file>.reason.json``. In this order: the reason is written, the file moves, the trigger moves. Killed after
the first step, the file is found wrong again; killed after the second, the next pass moves the trigger.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import Any

from dpps.data.fixity import local_error, read_content
from dpps.data.handover import INVALID_RAW_LEVEL, QUARANTINE_FOLDER, RAW_LEVEL, HandedFile, trigger_of
from dpps.domain.errors import Conflict, DppsError, NotFound
from dpps.domain.files import FileContent
from dpps.domain.principals import Action, Principal, authorize

__all__ = [
    "QuarantinedFile",
    "discard_quarantined",
    "drop_stale_reason",
    "find_quarantined",
    "finish_quarantine",
    "list_quarantined",
    "quarantine_file",
    "release_quarantined",
]

_REASON = ".reason.json"
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK})
"""What a file system without hard links says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantinedFile:
    """A file in quarantine, and why."""

    path: Path
    """Where it lies now."""
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


def quarantine_file(handed: HandedFile, error: DppsError, now: datetime) -> Path:
    """Move a file and its trigger out of the hand-over tree, and leave the reason beside them.

    Returns
    -------
    Path
        Where the file lies now.

    Raises
    ------
    DppsError
        When the file system does not let it move.
    """
    content = _content(handed.path)
    target = _free_place(handed, content)
    facts = QuarantinedFile(
        path=target,
        handed=handed.relative,
        code=error.code,
        reason=error.message,
        next_step=error.next_step,
        quarantined_at=now,
        size_bytes=content.size_bytes if content else None,
        adler32=content.adler32 if content else None,
        software=f"dpps {version('dpps')}",
    )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _write(facts, _identity(handed.trigger))
        _move(handed.path, target)
        _move_trigger(handed.trigger, target)
    except OSError as wrong:
        raise local_error(wrong, handed.path) from wrong
    return target


def finish_quarantine(handed: HandedFile) -> QuarantinedFile | None:
    """Move the trigger of a file that a killed pass had moved already; None when this is not such a trigger.

    Raises
    ------
    DppsError
        When the file system does not let it move.
    """
    for target in _places(handed.root, handed.relative):
        facts = _read(_reason_of(target))
        if facts is None:
            return None
        if target.exists() and facts.get("trigger") == _identity(handed.trigger):
            try:
                _move_trigger(handed.trigger, target)
            except OSError as wrong:
                raise local_error(wrong, handed.trigger) from wrong
            return _quarantined(handed.root, target, facts)
    return None


def drop_stale_reason(handed: HandedFile) -> None:
    """Remove what a killed pass or release left in quarantine beside a file that is not there."""
    for target in _places(handed.root, handed.relative):
        reason = _reason_of(target)
        if not reason.exists():
            return
        if not target.exists(follow_symlinks=False):
            _remove_company(target)


def list_quarantined(principal: Principal, root: Path) -> list[QuarantinedFile]:
    """Return the quarantined files of a hand-over folder, by path.

    Raises
    ------
    NotAuthorized
        When the principal may not ingest.
    """
    authorize(principal, Action.READ, str(root))
    return list(_quarantined_files(root))


def find_quarantined(principal: Principal, root: Path, name: str) -> QuarantinedFile:
    """Return one quarantined file.

    Parameters
    ----------
    principal : Principal
        Who asks.
    root : Path
        The hand-over folder.
    name : str
        The file: where it lies, or where it was handed over, below the folder or absolute.

    Raises
    ------
    NotAuthorized
        When the principal may not ingest.
    NotFound
        When there is no such file in quarantine.
    """
    authorize(principal, Action.READ, str(root))
    return _find(root, name)


def release_quarantined(principal: Principal, root: Path, name: str) -> HandedFile:
    """Give a file back to the place where it was handed over, with its trigger, to be tried again.

    Parameters
    ----------
    principal : Principal
        Who decides.
    root : Path
        The hand-over folder.
    name : str
        The file, as for `find_quarantined`.

    Raises
    ------
    NotAuthorized
        When the principal may not decide about quarantined files.
    NotFound
        When there is no such file in quarantine.
    Conflict
        When another file was handed over at its place since.
    """
    authorize(principal, Action.RELEASE, name)
    file = _find(root, name)
    handed = HandedFile(root, trigger_of(root / file.handed))
    try:
        handed.path.parent.mkdir(parents=True, exist_ok=True)
        _give_back(file, handed.path)
        # Killed before this, it is in quarantine still, and released again.
        with suppress(FileExistsError):
            handed.trigger.symlink_to(handed.path.name)
        file.path.unlink(missing_ok=True)
        _remove_company(file.path)
    except OSError as wrong:
        raise local_error(wrong, file.path) from wrong
    return handed


def _give_back(file: QuarantinedFile, place: Path) -> None:
    """Let a file appear where it was handed over, in place of none: a rename would replace another one.

    On a file system without hard links a look comes before the rename; only there could another writer come
    between the two.
    """
    try:
        os.link(file.path, place, follow_symlinks=False)
    except FileExistsError:
        if not _is_same(file.path, place):
            raise _taken(file, place) from None
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if place.exists(follow_symlinks=False):
            raise _taken(file, place) from None
        file.path.rename(place)


def _is_same(one: Path, other: Path) -> bool:
    """Tell whether two names are of one file: a release was killed after the first of its steps."""
    return os.path.samestat(one.lstat(), other.lstat())


def _taken(file: QuarantinedFile, place: Path) -> Conflict:
    return Conflict(
        f"{place} was handed over again since {file.path} was quarantined",
        code="quarantine-place-taken",
        next_step=f"remove the quarantined file: dpps ingest quarantine release --discard {file.path}",
        path=place,
        quarantined=file.path,
    )


def discard_quarantined(principal: Principal, root: Path, name: str) -> QuarantinedFile:
    """Delete a quarantined file for good, with its trigger and its reason.

    Raises
    ------
    NotAuthorized
        When the principal may not decide about quarantined files.
    NotFound
        When there is no such file in quarantine.
    """
    authorize(principal, Action.RELEASE, name)
    file = _find(root, name)
    try:
        file.path.unlink()
        _remove_company(file.path)
    except OSError as wrong:
        raise local_error(wrong, file.path) from wrong
    return file


def _places(root: Path, relative: str) -> Iterator[Path]:
    """Yield the places for a file in quarantine: a second bad file of the same name lies beside the first."""
    parts = relative.split("/")
    if len(parts) > 3 and parts[2] == RAW_LEVEL:
        place = root.joinpath(*parts[:2], INVALID_RAW_LEVEL, *parts[3:])
    else:
        place = root / QUARANTINE_FOLDER / relative
    yield place
    for number in count(2):
        yield place.with_name(f"{place.name}~{number}")


def _free_place(handed: HandedFile, content: FileContent | None) -> Path:
    """Return the first place without a file, or with the very same file: it is replaced by its equal."""
    for target in _places(handed.root, handed.relative):
        if not target.exists(follow_symlinks=False):
            return target
        if content is not None and content == _content(target):
            return target
    raise AssertionError("there is always a further number")


def _content(path: Path) -> FileContent | None:
    try:
        return read_content(path)
    except DppsError:
        return None  # the sidecar says that it could not be read


def _identity(trigger: Path) -> list[int]:
    status = trigger.lstat()
    return [status.st_ino, status.st_mtime_ns]


def _move(path: Path, target: Path) -> None:
    if target.exists(follow_symlinks=False) and _is_same(path, target):
        path.unlink()  # a killed release has left both names, and a rename would do nothing
    else:
        path.rename(target)


def _move_trigger(trigger: Path, target: Path) -> None:
    trigger.rename(trigger_of(target))


def _remove_company(target: Path) -> None:
    """Remove what lies beside a file that is not in quarantine any more; the reason last."""
    trigger_of(target).unlink(missing_ok=True)
    _reason_of(target).unlink(missing_ok=True)


def _reason_of(target: Path) -> Path:
    return target.with_name(target.name + _REASON)


def _write(facts: QuarantinedFile, trigger: list[int]) -> None:
    told = {key: value for key, value in asdict(facts).items() if key != "path"}
    told |= {
        "format": 1,
        "quarantined_at": facts.quarantined_at.astimezone(UTC).isoformat(),
        "trigger": trigger,
    }
    reason = _reason_of(facts.path)
    temporary = reason.with_name(f".{reason.name}.{os.getpid()}")
    with temporary.open("w") as stream:
        json.dump(told, stream, indent=2)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(reason)


def _read(reason: Path) -> dict[str, Any] | None:
    """Return what a sidecar says: None when there is none, nothing when it cannot be understood."""
    try:
        found = json.loads(reason.read_text())
    except FileNotFoundError:
        return None
    except OSError as wrong:
        raise local_error(wrong, reason) from wrong
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _quarantined(root: Path, target: Path, facts: dict[str, Any]) -> QuarantinedFile:
    """Return what a sidecar says; it lies among files of others and is not trusted about places."""
    told_at, size_bytes, adler32 = facts.get("quarantined_at"), facts.get("size_bytes"), facts.get("adler32")
    return QuarantinedFile(
        path=target,
        handed=_handed_place(root, target),
        code=str(facts.get("code", "quarantine-reason-invalid")),
        reason=str(facts.get("reason", f"{_reason_of(target)} does not say it")),
        next_step=str(facts.get("next_step", "look at the file, then release or discard it")),
        quarantined_at=_moment(told_at) or datetime.fromtimestamp(target.lstat().st_ctime, UTC),
        size_bytes=size_bytes if isinstance(size_bytes, int) else None,
        adler32=adler32 if isinstance(adler32, str) else None,
        software=str(facts.get("software", "unknown")),
    )


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


def _find(root: Path, name: str) -> QuarantinedFile:
    wanted = Path(name)
    for file in _quarantined_files(root):
        if wanted in (file.path, file.path.relative_to(root), Path(file.handed), root / file.handed):
            return file
    raise NotFound(
        f"{name} is not in the quarantine of {root}",
        code="quarantine-unknown",
        next_step=f"list what is there: dpps ingest quarantine list {root}",
        path=name,
    )


def _quarantined_files(root: Path) -> Iterator[QuarantinedFile]:
    for reason in sorted(_reasons(root)):
        target = reason.with_name(reason.name.removesuffix(_REASON))
        facts = _read(reason)
        if facts is not None and target.exists(follow_symlinks=False):
            yield _quarantined(root, target, facts)
