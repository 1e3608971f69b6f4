"""Counting the rows that a compressed table really holds.

Layout (ACADA data handler, "zfits"): the heap is a chain of tiles; each begins with ``TILE``, the number of
its rows (4 bytes) and the length of what follows (8), and holds one block a column, which begins with its own
length (8 bytes, this head included); everything little endian. Decompressing all would take longer than
reading and summing the file, and would add nothing that DATASUM does not show.
"""

from __future__ import annotations

import os
import struct

from dpps.adapters.zfits.units import Unit

__all__ = ["count_rows"]

_TILE = struct.Struct("<4sIQ")
_LENGTH = struct.Struct("<Q")


def count_rows(descriptor: int, unit: Unit) -> int:
    """Return the number of rows in the tiles of a compressed table.

    Parameters
    ----------
    descriptor : int
        The open file.
    unit : Unit
        The table, which has the keyword ``ZTABLE``.

    Raises
    ------
    ValueError
        When the tiles or their blocks do not fill the heap exactly.
    """
    cards = unit.cards
    position = int(cards.get("ZHEAPPTR", cards.get("THEAP", 0)))
    columns, rows = int(cards.get("TFIELDS", 0)), 0
    while position < unit.data_bytes:
        magic, tile_rows, length = _TILE.unpack(_read(descriptor, unit, position, _TILE.size))
        position += _TILE.size
        if magic != b"TILE" or length > unit.data_bytes - position:
            raise ValueError(f"{unit} has no complete tile after {rows} rows")
        _check_blocks(descriptor, unit, position, columns, length)
        position += length
        rows += tile_rows
    return rows


def _check_blocks(descriptor: int, unit: Unit, begin: int, columns: int, length: int) -> None:
    position = begin
    for column in range(1, columns + 1):
        if position + _LENGTH.size > begin + length:
            raise ValueError(f"column {column} of {unit} is missing in a tile")
        (block,) = _LENGTH.unpack(_read(descriptor, unit, position, _LENGTH.size))
        if block < _LENGTH.size:
            raise ValueError(f"column {column} of {unit} has a block of {block} bytes")
        position += block
    if position != begin + length:
        raise ValueError(f"the columns of {unit} do not fill their tile")


def _read(descriptor: int, unit: Unit, position: int, count: int) -> bytes:
    if position + count > unit.data_bytes:
        raise ValueError(f"{unit} ends within a tile")
    found = os.pread(descriptor, count, unit.data_begin + position)
    if len(found) != count:
        raise ValueError(f"{unit} was cut while it was read")
    return found
