"""Writing a bag entry by entry, into a folder or a tar file, whole or not at all."""

from __future__ import annotations

import hashlib
import tarfile
import uuid
import zlib
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from dpps.data.fixity import local_error
from dpps.data.packages.spool import Spool
from dpps.domain.errors import Conflict, DppsError

__all__ = ["BagWriter"]

_DECLARATION = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
_CHUNK_BYTES = 4 * 1024 * 1024


class _Sink(Protocol):
    def add(self, name: str, path: Path) -> None: ...

    def close(self) -> None: ...


class BagWriter:
    """A bag under construction; it gets its name when it is complete.

    Parameters
    ----------
    output : Path
        Folder to make, or file to make when its name ends with ``.tar``. Must not exist.

    Raises
    ------
    Conflict
        When the output exists.
    """

    def __init__(self, output: Path) -> None:
        if output.exists() or output.is_symlink():
            raise Conflict(
                f"{output} exists already",
                code="output-exists",
                next_step="name another output",
                path=output,
            )
        self._output = output
        try:
            self._spool = Spool(output)
            self._draft = self.spool / "bag"
            tar = output.suffix == ".tar"
            self._sink: _Sink = _TarSink(self._draft, output.stem) if tar else _FolderSink(self._draft)
        except OSError as wrong:
            raise local_error(wrong, output) from wrong
        self._payload = {one: (self.spool / one).open("w") for one in ("sha256", "adler32")}
        self._tags: dict[str, str] = {}
        self.files = self.size_bytes = 0

    @property
    def spool(self) -> Path:
        """Folder for files on their way into the bag."""
        return self._spool.folder

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for stream in self._payload.values():
            stream.close()
        self._sink.close()
        self._spool.close()

    def add_payload(self, name: str, path: Path) -> tuple[str, str]:
        """Move a local file into the bag; return its SHA-256 and Adler-32 as they were read here."""
        digest, adler32, size_bytes = hashlib.sha256(), zlib.adler32(b""), 0
        try:
            with path.open("rb", buffering=0) as stream:
                while chunk := stream.read(_CHUNK_BYTES):
                    digest.update(chunk)
                    adler32 = zlib.adler32(chunk, adler32)
                    size_bytes += len(chunk)
            self._sink.add(name, path)
        except OSError as wrong:
            raise local_error(wrong, self._output) from wrong
        found = digest.hexdigest(), f"{adler32:08x}"
        for manifest, checksum in zip(self._payload.values(), found, strict=True):
            manifest.write(f"{checksum}  {name}\n")
        self.files += 1
        self.size_bytes += size_bytes
        return found

    def add_tag(self, name: str, text: str) -> None:
        """Write a file beside the payload."""
        self._tags[name] = hashlib.sha256(text.encode()).hexdigest()
        self._add_text(name, text)

    def finish(self, info: dict[str, str]) -> None:
        """Write manifests and ``bag-info.txt`` and give the bag its name."""
        for algorithm, stream in self._payload.items():
            stream.close()
            path = Path(stream.name)
            # Adler-32 is the archive's own checksum; tools need not know it, so it is no manifest of BagIt's.
            name = "manifest-sha256.txt" if algorithm == "sha256" else "fixity-adler32.txt"
            self._tags[name] = hashlib.sha256(path.read_bytes()).hexdigest()
            self._sink.add(name, path)
        facts = {**info, "Payload-Oxum": f"{self.size_bytes}.{self.files}"}
        self.add_tag("bag-info.txt", "".join(f"{key}: {value}\n" for key, value in facts.items()))
        self.add_tag("bagit.txt", _DECLARATION)
        self._add_text(
            "tagmanifest-sha256.txt", "".join(f"{digest}  {name}\n" for name, digest in self._tags.items())
        )
        self._sink.close()
        try:
            self._draft.rename(self._output)
        except OSError as wrong:
            raise self._named(wrong) from wrong

    def _named(self, wrong: OSError) -> DppsError:
        return local_error(wrong, self._output)

    def _add_text(self, name: str, text: str) -> None:
        path = self.spool / uuid.uuid4().hex
        try:
            path.write_text(text)
            self._sink.add(name, path)
        except OSError as wrong:
            raise self._named(wrong) from wrong


class _FolderSink:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir()

    def add(self, name: str, path: Path) -> None:
        target = self._folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)

    def close(self) -> None:
        """Nothing is kept open."""


class _TarSink:
    def __init__(self, path: Path, top: str) -> None:
        self._tar = tarfile.TarFile(path, "w", format=tarfile.PAX_FORMAT)
        self._top = top

    def add(self, name: str, path: Path) -> None:
        entry = tarfile.TarInfo(f"{self._top}/{name}")
        entry.size = path.stat().st_size
        with path.open("rb") as stream:
            self._tar.addfile(entry, stream)
        path.unlink()

    def close(self) -> None:
        self._tar.close()
