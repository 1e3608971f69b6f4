"""Reading a bag that someone else made: every name is hostile until checked, nothing is extracted."""

from __future__ import annotations

import re
import stat
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from dpps.data.fixity import local_error
from dpps.data.packages.records import bad_package
from dpps.domain.errors import NotFound

__all__ = ["Entry", "bag_entries"]

_COMPONENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+=@,~-]*")
_LENGTH_MAX = 300
_CHUNK_BYTES = 4 * 1024 * 1024
_ENTRIES_MAX = 5_000_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One regular file of a bag."""

    name: str
    size_bytes: int
    stream: IO[bytes]
    """Valid until the next entry is asked for."""

    def chunks(self) -> Iterator[bytes]:
        """Yield the content.

        Raises
        ------
        DamagedFile
            When it is cut short.
        """
        try:
            while chunk := self.stream.read(_CHUNK_BYTES):
                yield chunk
        except tarfile.TarError as wrong:
            raise bad_package(f"{self.name} is cut short") from wrong
        except OSError as wrong:
            raise local_error(wrong, Path(self.name)) from wrong


def bag_entries(path: Path) -> Iterator[Entry]:
    """Yield the files of a bag in a folder or a tar file, in the order they are found.

    Raises
    ------
    NotFound
        When there is nothing.
    DamagedFile
        When it holds links, devices, names that lead elsewhere, a name twice, or is cut short.
    """
    if path.is_dir():
        yield from _of_folder(path)
    elif path.is_file():
        yield from _of_tar(path)
    else:
        raise NotFound(
            f"there is no package {path}", code="package-missing", next_step="check the path", path=path
        )


def _of_folder(folder: Path) -> Iterator[Entry]:
    pending = [folder]
    while pending:
        for path in sorted(_listed(pending.pop())):
            name = path.relative_to(folder).as_posix()
            mode = path.lstat().st_mode
            if stat.S_ISDIR(mode):
                pending.append(path)
                continue
            if not stat.S_ISREG(mode):
                raise bad_package(f"{name!r} is a link or device")
            _check_name(name)
            with _opened(path) as stream:
                yield Entry(name, path.lstat().st_size, stream)


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError as wrong:
        raise local_error(wrong, folder) from wrong


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    with ExitStack() as stack:
        try:
            stream = stack.enter_context(path.open("rb"))
        except OSError as wrong:
            raise local_error(wrong, path) from wrong
        yield stream


def _of_tar(path: Path) -> Iterator[Entry]:
    seen: set[str] = set()
    try:
        with tarfile.open(path, "r:") as tar:
            top: str | None = None
            for member in tar:
                if member.isdir():
                    continue
                if not member.isreg():
                    raise bad_package(f"{member.name!r} is a link or device")
                first, _, name = member.name.partition("/")
                top = top or first
                _check_name(name)
                if first != top or name in seen or len(seen) >= _ENTRIES_MAX:
                    raise bad_package(f"{member.name!r} is there twice, or not in the folder {top!r}")
                seen.add(name)
                stream = tar.extractfile(member)
                if stream is None:
                    raise bad_package(f"{member.name!r} has no content")
                yield Entry(name, member.size, stream)
    except tarfile.TarError as wrong:
        raise bad_package(f"{path} is no complete tar file without compression: {wrong}") from wrong
    except OSError as wrong:
        raise local_error(wrong, path) from wrong


def _check_name(name: str) -> None:
    if len(name) > _LENGTH_MAX or not all(_COMPONENT.fullmatch(part) for part in name.split("/")):
        raise bad_package(f"{name[:80]!r} is no name for a file of a package")
