"""Quarantine: where files that are wrong themselves go, with the reason beside them.

A raw file ``<vo>/<scope>/DL0/…`` goes to ``<vo>/<scope>/INVALID_DL0/…``, any other to ``quarantine/…``, both
below the hand-over folder, so that a move is one rename. Beside it lie its trigger and
``<file>.reason.json``. In this order: the reason is written, the file moves, the trigger moves. Killed after
the first step, the file is found wrong again; killed after the second, the next pass moves the trigger.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from dpps.data.fixity import local_error, read_content
from dpps.data.handover import HandedFile, trigger_of
from dpps.data.quarantine_reasons import (
    QuarantinedFile,
    identity_of,
    is_same,
    places_in_quarantine,
    quarantined_file,
    read_reason,
    reason_of,
    remove_company,
    write_reason,
)
from dpps.domain.errors import DppsError
from dpps.domain.files import FileContent

__all__ = ["drop_stale_reason", "finish_quarantine", "quarantine_file"]


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
        _write(facts, identity_of(handed.trigger))
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
    for target in places_in_quarantine(handed.root, handed.relative):
        facts = read_reason(target)
        if facts is None:
            return None
        if target.exists() and facts.get("trigger") == identity_of(handed.trigger):
            try:
                _move_trigger(handed.trigger, target)
            except OSError as wrong:
                raise local_error(wrong, handed.trigger) from wrong
            return quarantined_file(handed.root, target, facts)
    return None


def drop_stale_reason(handed: HandedFile) -> None:
    """Remove what a killed pass or release left in quarantine beside a file that is not there."""
    for target in places_in_quarantine(handed.root, handed.relative):
        reason = reason_of(target)
        if not reason.exists():
            return
        if not target.exists(follow_symlinks=False):
            remove_company(target)


def _free_place(handed: HandedFile, content: FileContent | None) -> Path:
    """Return the first place without a file, or with the very same file: it is replaced by its equal."""
    for target in places_in_quarantine(handed.root, handed.relative):
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


def _move(path: Path, target: Path) -> None:
    if target.exists(follow_symlinks=False) and is_same(path, target):
        path.unlink()  # a killed release has left both names, and a rename would do nothing
    else:
        path.rename(target)


def _move_trigger(trigger: Path, target: Path) -> None:
    trigger.rename(trigger_of(target))


def _write(facts: QuarantinedFile, trigger: list[int]) -> None:
    told = {key: value for key, value in asdict(facts).items() if key != "path"}
    told |= {
        "format": 1,
        "quarantined_at": facts.quarantined_at.astimezone(UTC).isoformat(),
        "trigger": trigger,
    }
    write_reason(facts.path, told)
