"""The hand-over folder: which files are complete, and whether their paths can be trusted.

The acquisition system writes a file, then places a trigger ``<file>.trigger`` beside it: a symbolic link to
the file, or an empty file. A file without trigger is still being written and is left alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dpps.data.fixity import local_error
from dpps.domain.errors import DamagedFile, DppsError, InvalidInput, NotFound
from dpps.domain.names import Lfn

__all__ = ["HandedFile", "RefusedFiles", "check_handed", "find_handed", "raw_lfn"]

_TRIGGER = ".trigger"
_RAW_LEVEL = "DL0"


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


def find_handed(root: Path) -> list[HandedFile]:
    """Return the files with triggers below a folder, by name; links to folders are not followed.

    Raises
    ------
    InvalidInput
        When the folder does not exist or cannot be read.
    """
    if not root.is_dir():
        raise InvalidInput(
            f"there is no hand-over folder {root}",
            code="handover-missing",
            next_step="name the folder that holds the files and their .trigger links",
            path=root,
        )
    return [HandedFile(root, trigger) for trigger in sorted(_triggers(root))]


def check_handed(handed: HandedFile) -> None:
    """Check that a trigger announces a regular file inside the hand-over folder.

    Raises
    ------
    DppsError
        When it does not.
    """
    path = handed.path
    if path.name in ("", "."):
        raise InvalidInput(
            f"{handed.trigger}: the trigger names no file",
            code="trigger-invalid",
            next_step="name triggers <file>.trigger",
            path=handed.trigger,
        )
    try:
        real = path.resolve(strict=True)
        announced = handed.trigger.resolve(strict=True) if handed.trigger.is_symlink() else real
    except FileNotFoundError:
        raise NotFound(
            f"{path}: the trigger is there, the file is not",
            code="handed-file-missing",
            next_step="write the file first, then its trigger; or remove the trigger",
            path=path,
        ) from None
    except (OSError, RuntimeError) as wrong:
        raise _leads_astray(path, f"its links cannot be followed ({wrong})") from wrong
    if not real.is_relative_to(handed.root.resolve()):
        raise _leads_astray(path, "it is a link to a place outside the hand-over folder")
    if announced != real:
        raise _leads_astray(handed.trigger, "the trigger is a link to another file")
    if not real.is_file():
        raise DamagedFile(
            f"{path} is not a regular file",
            code="file-unreadable",
            next_step="hand over regular files only",
            path=path,
        )


def raw_lfn(handed: HandedFile, vo: str) -> Lfn:
    """Return the name that the telescopes' software gave a raw file: its path below the hand-over folder.

    Raises
    ------
    InvalidInput
        When the path is not ``<vo>/<scope>/DL0/…``.
    """
    lfn = Lfn("/" + handed.relative)
    parts = lfn.name.split("/")
    if lfn.vo != vo or len(parts) < 5 or parts[3] != _RAW_LEVEL:
        raise InvalidInput(
            f"{handed.relative}: raw data belong under {vo}/<scope>/{_RAW_LEVEL}/ in the hand-over folder",
            code="handover-path-invalid",
            next_step="write the file to its place in the agreed tree",
            path=handed.path,
        )
    return lfn


class RefusedFiles:
    """Remembers why files were refused, as long as neither file nor trigger change.

    A watching process need not read a damaged file again and again.
    """

    def __init__(self) -> None:
        self._errors: dict[Path, tuple[tuple[int, ...], DppsError]] = {}

    def recall(self, handed: HandedFile) -> DppsError | None:
        """Return why a file was refused, if it is still the same."""
        seen, error = self._errors.get(handed.path, ((), None))
        return error if error is not None and seen == _signature(handed) else None

    def remember(self, handed: HandedFile, error: DppsError) -> None:
        """Note why a file was refused, unless trying again may help."""
        if not error.retryable:
            self._errors[handed.path] = (_signature(handed), error)

    def listing(self) -> list[tuple[Path, DppsError]]:
        """Return the refused files that are still announced, with the reasons, by path."""
        return [
            (path, error)
            for path, (_, error) in sorted(self._errors.copy().items())
            if path.with_name(path.name + _TRIGGER).exists(follow_symlinks=False)
        ]


def _signature(handed: HandedFile) -> tuple[int, ...]:
    numbers: list[int] = []
    for path in (handed.path, handed.trigger):
        try:
            status = path.lstat()
        except OSError:
            numbers += [0, 0]  # absent: a state of its own, that changes when the file comes
        else:
            numbers += [status.st_mtime_ns, status.st_size]
    return tuple(numbers)


def _triggers(root: Path) -> Iterator[Path]:
    def refuse(wrong: OSError) -> None:
        raise local_error(wrong, Path(wrong.filename or root))

    for folder, folders, names in os.walk(root, onerror=refuse):
        folders.sort()
        yield from (Path(folder, name) for name in names if name.endswith(_TRIGGER))


def _leads_astray(path: Path, why: str) -> InvalidInput:
    return InvalidInput(
        f"{path}: {why}",
        code="handover-path-invalid",
        next_step="hand over regular files inside the folder, with triggers that link to them",
        path=path,
    )
