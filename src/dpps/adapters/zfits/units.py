"""One sequential reading of a FITS file: its checksum, its header and data units, and the sum of each.

A unit is a header and the data behind it ("HDU", FITS standard 4.0, section 3); both fill blocks of 2880
bytes. How long the data are follows from the header (sections 4.4.1 and 7.1): the size of an element in
bytes, times GCOUNT, times PCOUNT plus the product of all NAXISn.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import FileIO
from typing import Final

from dpps.adapters.zfits.cards import CARD_BYTES, CardValue, simple_cards
from dpps.adapters.zfits.checksums import add, words_sum
from dpps.domain.files import FileContent

__all__ = ["FitsFile", "Unit", "read_units"]

_BLOCK_BYTES: Final = 2880
_CHUNK_BYTES: Final = 1400 * _BLOCK_BYTES
_HEADER_BYTES_MAX: Final = 1000 * _BLOCK_BYTES
"""Far beyond any header; a file of blanks must not be kept in memory in the search for its END."""
_END: Final = b"END".ljust(CARD_BYTES)


@dataclass(slots=True)
class Unit:
    """A header with its data."""

    number: int
    begin: int
    """First byte of the header in the file."""
    header: bytes = b""
    """Cards up to END, with it."""
    cards: Mapping[str, CardValue] = field(default_factory=dict)
    data_begin: int = 0
    data_bytes: int = 0
    """Length of the data as the header says, without padding."""
    end: int = 0
    """First byte behind the padding."""
    header_sum: int = 0
    data_sum: int = 0

    @property
    def name(self) -> str:
        """``PRIMARY``, else the name of the extension."""
        return "PRIMARY" if self.number == 0 else str(self.cards.get("EXTNAME", ""))

    def __str__(self) -> str:
        return f"table {self.number} ({self.name})"


@dataclass(frozen=True, slots=True)
class FitsFile:
    """What one reading of a file found."""

    content: FileContent
    units: list[Unit]
    """The units whose headers are complete; the last may end beyond the file."""
    left_over_bytes: int
    """Bytes behind the last unit that are no complete header."""


def read_units(stream: FileIO) -> FitsFile:
    """Read a file to its end, once.

    Raises
    ------
    ValueError
        When a header is not that of a FITS unit.
    """
    walk = _Walk()
    size_bytes, checksum = 0, zlib.adler32(b"")
    for chunk in _chunks(stream):
        checksum = zlib.adler32(chunk, checksum)
        walk.feed(chunk, size_bytes)
        size_bytes += len(chunk)
    content = FileContent(size_bytes=size_bytes, adler32=f"{checksum:08x}")
    left_over = size_bytes - walk.header_begin if walk.unit is None else 0
    return FitsFile(content, walk.units, left_over)


def _chunks(stream: FileIO) -> Iterator[memoryview]:
    """Yield the file in whole blocks, but for its very end."""
    blocks = os.fstat(stream.fileno()).st_size // _BLOCK_BYTES + 1
    buffer = memoryview(bytearray(min(_CHUNK_BYTES, blocks * _BLOCK_BYTES)))
    while True:
        filled = 0
        while filled < len(buffer) and (count := stream.readinto(buffer[filled:])):
            filled += count
        if filled:
            yield buffer[:filled]
        if filled < len(buffer):
            return


class _Walk:
    """Follows headers and data through the chunks, which begin at whole blocks."""

    def __init__(self) -> None:
        self.units: list[Unit] = []
        self.unit: Unit | None = None
        """The unit whose data are being read; None within a header."""
        self.header_begin = 0
        self._header = bytearray()
        self._header_sum = 0

    def feed(self, chunk: memoryview, offset: int) -> None:
        position = 0
        while position < len(chunk):
            if self.unit is None:
                block = chunk[position : position + _BLOCK_BYTES]
                self._take_header(block, offset + position)
                position += len(block)
                continue
            data = chunk[position : position + self.unit.end - offset - position]
            self.unit.data_sum = add(self.unit.data_sum, words_sum(data))
            position += len(data)
            self._end_of_data(offset + position)

    def _take_header(self, block: memoryview, offset: int) -> None:
        self._header += block
        self._header_sum = add(self._header_sum, words_sum(block))
        if len(block) < _BLOCK_BYTES:
            return  # the file ends within a header
        if len(self._header) > _HEADER_BYTES_MAX:
            raise ValueError(f"the header at byte {self.header_begin} has no end")
        end = _end_card(self._header, len(self._header) - _BLOCK_BYTES)
        if end is None:
            return
        header = bytes(self._header[: end + CARD_BYTES])
        unit = _unit(len(self.units), self.header_begin, header, offset + _BLOCK_BYTES)
        unit.header_sum = self._header_sum
        self.units.append(unit)
        self.unit = unit
        self._end_of_data(unit.data_begin)

    def _end_of_data(self, position: int) -> None:
        if self.unit is not None and position >= self.unit.end:
            self.unit = None
            self.header_begin = position
            self._header.clear()
            self._header_sum = 0


def _end_card(header: bytearray, begin: int) -> int | None:
    for position in range(begin, len(header), CARD_BYTES):
        if header[position : position + CARD_BYTES] == _END:
            return position
    return None


def _unit(number: int, begin: int, header: bytes, data_begin: int) -> Unit:
    cards = simple_cards(header)
    if not header.startswith(b"SIMPLE  =" if number == 0 else b"XTENSION="):
        raise ValueError(f"no unit of a FITS file begins at byte {begin}")
    data_bytes = _data_bytes(cards, begin)
    end = data_begin + -(-data_bytes // _BLOCK_BYTES) * _BLOCK_BYTES
    return Unit(number, begin, header, cards, data_begin, data_bytes, end)


def _data_bytes(cards: Mapping[str, CardValue], begin: int) -> int:
    axes = [_count(cards, f"NAXIS{axis}", begin) for axis in range(1, _count(cards, "NAXIS", begin) + 1)]
    if not axes:
        return 0
    elements = 1
    for axis in axes:
        elements *= axis
    groups, extra = _count(cards, "GCOUNT", begin, 1), _count(cards, "PCOUNT", begin, 0)
    return abs(_number(cards, "BITPIX", begin)) // 8 * groups * (extra + elements)


def _count(cards: Mapping[str, CardValue], keyword: str, begin: int, default: int | None = None) -> int:
    value = _number(cards, keyword, begin, default)
    if value < 0:
        raise ValueError(f"the header at byte {begin} says {keyword} = {value}")
    return value


def _number(cards: Mapping[str, CardValue], keyword: str, begin: int, default: int | None = None) -> int:
    value = cards.get(keyword, default)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"the header at byte {begin} has no number {keyword}")
    return value
