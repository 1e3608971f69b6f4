"""Whether a compressed stream is whole: its last frame closed, its own checksums right, nothing behind it."""

from __future__ import annotations

import zlib
from typing import Any, Final

from dpps.domain.errors import DamagedFile

__all__ = ["FrameCheck"]

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_SLICE_BYTES: Final = 4096
"""Fed at once: at the utmost ratio of either format its content still fits into memory (128 MiB)."""
_RATIO_MAX: Final = 100
"""Content to compressed size; sim_telarray output reaches about five."""
_ALLOWANCE_BYTES: Final = 64 * 1024 * 1024
"""Content that is always allowed: a small file may be all zeros."""


class FrameCheck:
    """Follows the chunks of a file and checks the frames of gzip or Zstandard; other files pass unseen.

    Parameters
    ----------
    name : str
        What errors call the file.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._started = False
        self._make: Any = None
        self._frame: Any = None
        self._compressed_bytes = 0
        self._content_bytes = 0

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the file.

        Raises
        ------
        DamagedFile
            When they are no valid continuation, or their content is out of proportion.
        """
        if not self._started:
            self._started = True
            self._make = _frame_maker(chunk)
        if self._make is None:
            return
        for begin in range(0, len(chunk), _SLICE_BYTES):
            self._decompress(chunk[begin : begin + _SLICE_BYTES])

    def _decompress(self, part: bytes) -> None:
        self._compressed_bytes += len(part)
        while part:
            if self._frame is None:
                self._frame = self._make()
            try:
                self._content_bytes += len(self._frame.decompress(part))
            except (zlib.error, _zstd_error()) as wrong:
                raise self._damaged(f"its compressed data are damaged: {wrong}") from wrong
            if self._content_bytes > _ALLOWANCE_BYTES + _RATIO_MAX * self._compressed_bytes:
                raise self._too_expansive()
            part = self._frame.unused_data if self._frame.eof else b""
            if self._frame.eof:
                self._frame = None

    def finish(self) -> None:
        """State that the file has ended.

        Raises
        ------
        DamagedFile
            When a frame is still open: the file was cut.
        """
        if self._frame is not None:
            raise self._damaged("its compressed data end too early: the file was cut")

    def _too_expansive(self) -> DamagedFile:
        return DamagedFile(
            f"{self._name}: its first {self._compressed_bytes} bytes hold {self._content_bytes}, "
            f"beyond {_RATIO_MAX} to one: it is not read further",
            code="file-too-expansive",
            next_step="hand it over uncompressed, if this is meant",
            path=self._name,
        )

    def _damaged(self, why: str) -> DamagedFile:
        return DamagedFile(
            f"{self._name}: {why}",
            code="file-damaged",
            next_step="hand it over again from its source",
            path=self._name,
        )


def _frame_maker(beginning: bytes) -> Any:
    if beginning.startswith(_GZIP):
        return lambda: zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    if beginning.startswith(_ZSTD):
        import zstandard

        return zstandard.ZstdDecompressor().decompressobj
    return None


def _zstd_error() -> type[Exception]:
    import zstandard

    error: type[Exception] = zstandard.ZstdError
    return error
