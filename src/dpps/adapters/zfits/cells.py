"""The row of a compressed table of one row, where its tiles are raw, zlib or Zstandard.

Layout (ACADA data handler, "zfits"): a tile begins with ``TILE``, the number of its rows (4 bytes) and its
length (8); then follows one block a column: its length including this head (8), ordering (1), number of
processings (1), their codes (2 each), and the data; everything little endian.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from typing import Any

__all__ = ["first_row"]

_TILE = struct.Struct("<4sIQ")
_BLOCK = struct.Struct("<QcB")
_CELL_BYTES_MAX = 65536
_RAW, _ZLIB, _ZSTD = 0x00, 0x07, 0x17
_FORMATS = {"I": "H", "J": "I", "K": "Q", "B": "B"}


def first_row(header: Mapping[str, Any], data: bytes) -> dict[str, tuple[int, ...]]:
    """Return the whole-number cells of the row; columns packed otherwise are left out.

    Parameters
    ----------
    header : mapping
        Header of the table.
    data : bytes
        Its data unit, heap included.

    Raises
    ------
    ValueError
        When the tile is malformed.
    """
    position = int(header.get("ZHEAPPTR", header["THEAP"]))
    magic, rows, _ = _TILE.unpack_from(data, position)
    if magic != b"TILE" or rows != 1:
        raise ValueError("there is no tile of one row where the table's heap begins")
    position += _TILE.size
    cells: dict[str, tuple[int, ...]] = {}
    for column in range(1, int(header["TFIELDS"]) + 1):
        length, _, processings = _BLOCK.unpack_from(data, position)
        if length < _BLOCK.size or position + length > len(data):
            raise ValueError(f"column {column} reaches beyond the table")
        codes = struct.unpack_from(f"<{processings}H", data, position + _BLOCK.size)
        packed = data[position + _BLOCK.size + 2 * processings : position + length]
        values = _cells(str(header[f"ZFORM{column}"]), codes, packed)
        if values is not None:
            cells[str(header[f"TTYPE{column}"])] = values
        position += length
    return cells


def _cells(form: str, codes: tuple[int, ...], packed: bytes) -> tuple[int, ...] | None:
    letter = form[-1]
    if letter not in _FORMATS or codes not in ((), (_RAW,), (_ZLIB,), (_ZSTD,)):
        return None
    plain = _unpacked(codes, packed)
    item_bytes = struct.calcsize(f"<{_FORMATS[letter]}")
    if len(plain) == int(form[:-1] or 1) * item_bytes:
        content = plain
    elif len(plain) >= 4 and int.from_bytes(plain[:4], "little") == len(plain) - 4:
        content = plain[4:]  # an array of variable length carries its length in bytes
    else:
        raise ValueError(f"a cell of the form {form} holds {len(plain)} bytes")
    if len(content) % item_bytes:
        raise ValueError(f"a cell of the form {form} holds {len(content)} bytes")
    return struct.unpack(f"<{len(content) // item_bytes}{_FORMATS[letter]}", content)


def _unpacked(codes: tuple[int, ...], packed: bytes) -> bytes:
    if codes == (_ZLIB,):
        return zlib.decompress(packed)
    if codes == (_ZSTD,):
        import zstandard

        plain: bytes = zstandard.ZstdDecompressor().decompress(packed, max_output_size=_CELL_BYTES_MAX)
        return plain
    return packed
