"""The hand-over folder: which files are complete, and whether their paths can be trusted.

The acquisition system writes a file, then places a trigger ``<file>.trigger`` beside it: a symbolic link to
the file, or an empty file. A file without trigger is still being written and is left alone.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from dpps.data.fixity import local_error
from dpps.domain.errors import DppsError, InvalidInput, NotFound, Unavailable
from dpps.domain.names import Lfn

__all__ = [
    "INVALID_RAW_LEVEL",
    "QUARANTINE_FOLDER",
    "RAW_LEVEL",
    "HandedFile",
    "HandoverFolder",
    "Signature",
    "check_handed",
    "find_handed",
    "raw_lfn",
    "require_handover",
    "signature_of",
    "trigger_of",
]

_TRIGGER = ".trigger"
RAW_LEVEL = "DL0"
INVALID_RAW_LEVEL = "INVALID_DL0"
"""Takes the place of the level in the path of a quarantined raw file."""
QUARANTINE_FOLDER = "quarantine"
"""Folder at the top of the hand-over folder for other quarantined files."""

type Signature = tuple[int, ...]
"""Changes when a file or its trigger are replaced, written to, made or removed."""


@dataclass(frozen=True, slots=True)
class HandedFile:
    """A file whose trigger was found."""

    root: Path
    trigger: Path

    @property
    def path(self) -> Path:
        """The data file that the trigger announces: its name without ``.trigger``."""
        return self.trigger.with_name(self.trigger.name.removesuffix(_TRIGGER))

    @property
    def relative(self) -> str:
        """Path below the hand-over folder."""
        return self.path.relative_to(self.root).as_posix()


@dataclass(frozen=True, slots=True)
class HandoverFolder:
    """What is announced in a hand-over folder, by name, and what there could not be looked at."""

    files: list[HandedFile] = field(default_factory=list)
    problems: list[tuple[Path, DppsError]] = field(default_factory=list)
    """Folders that cannot be read, folders that are named like triggers, triggers that name no file."""


def require_handover(root: Path) -> None:
    """Refuse a hand-over folder that is not there.

    Raises
    ------
    InvalidInput
        When the folder does not exist.
    """
    if not root.is_dir():
        raise InvalidInput(
            f"there is no hand-over folder {root}",
            code="handover-missing",
            next_step="name the folder that holds the files and their .trigger links",
            path=root,
        )


def find_handed(root: Path) -> HandoverFolder:
    """Return the files with triggers below a folder; links to folders are not followed.

    What was quarantined is not looked at.

    Raises
    ------
    InvalidInput
        When the folder does not exist.
    DppsError
        When the folder itself cannot be read.
    """
    require_handover(root)
    found = HandoverFolder()

    def note(wrong: OSError) -> None:
        folder = Path(wrong.filename or root)
        if folder == root:
            raise local_error(wrong, root) from wrong
        found.problems.append((folder, _unreadable(folder, wrong)))

    for name, folders, names in os.walk(root, onerror=note):
        folder = Path(name)
        for one in sorted(one for one in (*names, *folders) if one.endswith(_TRIGGER)):
            _note_trigger(found, HandedFile(root, folder / one))
        folders[:] = sorted(one for one in folders if not _is_quarantine(root, folder / one))
    return found


def _note_trigger(found: HandoverFolder, handed: HandedFile) -> None:
    trigger = handed.trigger
    if trigger.name.removesuffix(_TRIGGER) in ("", ".", ".."):
        found.problems.append((trigger, _nameless(trigger)))
    elif _is_folder(trigger):
        found.problems.append((trigger, _trigger_folder(trigger)))
    else:
        found.files.append(handed)


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except OSError:
        return False  # whoever reads the file says what is wrong


def trigger_of(path: Path) -> Path:
    """Return where the trigger of a file is."""
    return path.with_name(path.name + _TRIGGER)


def signature_of(handed: HandedFile) -> Signature:
    """Return what the file system tells of a file and its trigger; a missing one is a state too."""
    numbers: list[int] = []
    for path in (handed.path, handed.trigger):
        try:
            link, file = path.lstat(), path.stat()
        except OSError:
            numbers.append(0)  # absent, or a link to nothing: changes when the file comes
        else:
            numbers += [link.st_ino, link.st_mtime_ns, file.st_ino, file.st_mtime_ns, file.st_size]
    return tuple(numbers)


def check_handed(handed: HandedFile) -> None:
    """Check that a trigger announces a regular file inside the hand-over folder.

    Raises
    ------
    DppsError
        When it does not.
    """
    path = handed.path
    try:
        real = path.resolve(strict=True)
        announced = handed.trigger.resolve(strict=True) if handed.trigger.is_symlink() else real
    except FileNotFoundError:
        raise NotFound(
            f"{path}: the trigger is there, the file is not",
            code="handed-file-missing",
            next_step="write the file first, then its trigger; or remove the trigger",
            retryable=True,
            path=path,
        ) from None
    except PermissionError as wrong:
        raise local_error(wrong, path) from wrong
    except (OSError, RuntimeError) as wrong:
        raise _leads_astray(path, f"its links cannot be followed ({wrong})") from wrong
    if not real.is_relative_to(handed.root.resolve()):
        raise _leads_astray(path, "it is a link to a place outside the hand-over folder")
    if announced != real:
        raise _leads_astray(handed.trigger, "the trigger is a link to another file")
    if not real.is_file():
        raise InvalidInput(
            f"{path} is not a regular file",
            code="handed-not-a-file",
            next_step="hand over regular files only; remove the trigger",
            path=path,
        )


def raw_lfn(handed: HandedFile, vo: str) -> Lfn:
    """Return the name that the telescopes' software gave a raw file: its path below the hand-over folder.

    Raises
    ------
    InvalidInput
        When the path is not ``<vo>/<scope>/DL0/…``, or cannot be a logical file name.
    """
    parts = handed.relative.split("/")
    if len(parts) < 4 or parts[0] != vo or parts[2] != RAW_LEVEL:
        raise InvalidInput(
            f"{handed.path}: raw data belong under {vo}/<scope>/{RAW_LEVEL}/ in the hand-over folder",
            code="handover-path-invalid",
            next_step=f"write the file to its place below {handed.root}/{vo}/<scope>/{RAW_LEVEL}/",
            path=handed.path,
        )
    try:
        return Lfn("/" + handed.relative)
    except InvalidInput as wrong:
        raise InvalidInput(
            f"{handed.path} cannot be archived under its path: {wrong.message}",
            code=wrong.code,
            next_step=wrong.next_step,
            path=handed.path,
        ) from wrong


def _is_quarantine(root: Path, folder: Path) -> bool:
    if folder.parent == root:
        return folder.name == QUARANTINE_FOLDER
    return folder.name == INVALID_RAW_LEVEL and folder.parent.parent.parent == root


def _unreadable(folder: Path, wrong: OSError) -> DppsError:
    return Unavailable(
        f"{folder} cannot be searched for triggers: {wrong.strerror or wrong}",
        code="handover-folder-unreadable",
        next_step="let the user of this command read and enter the folder",
        path=folder,
    )


def _nameless(trigger: Path) -> InvalidInput:
    return InvalidInput(
        f"{trigger}: the trigger names no file",
        code="trigger-invalid",
        next_step="name triggers <file>.trigger; remove this one",
        path=trigger,
    )


def _trigger_folder(folder: Path) -> InvalidInput:
    return InvalidInput(
        f"{folder} is a folder and announces nothing",
        code="trigger-is-folder",
        next_step="remove or rename it: triggers are links to files, or empty files",
        path=folder,
    )


def _leads_astray(path: Path, why: str) -> InvalidInput:
    return InvalidInput(
        f"{path}: {why}",
        code="handover-path-invalid",
        next_step="hand over regular files inside the folder, with triggers that link to them",
        path=path,
    )
