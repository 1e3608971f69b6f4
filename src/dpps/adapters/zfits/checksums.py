"""The FITS checksum over the bytes as they lie in the file (FITS standard 4.0, appendix J).

``astropy`` computes it over the header as it would write it, which leaves damage in padding unseen.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

__all__ = ["ALL_ONES", "add", "block_sum"]

ALL_ONES: Final = 0xFFFFFFFF
"""Sum of a whole intact unit, header and data together."""
_CHUNK_BYTES: Final = 4 * 1024 * 1024


def add(first: int, second: int) -> int:
    """Return the 32-bit ones' complement sum of two sums."""
    total = first + second
    while total > ALL_ONES:
        total = (total & ALL_ONES) + (total >> 32)
    return total


def block_sum(path: Path, begin: int, end: int) -> int:
    """Return the 32-bit ones' complement sum of a range of bytes, a multiple of four long.

    Parameters
    ----------
    path : Path
        The file.
    begin, end : int
        First byte, and first byte behind the range.
    """
    import numpy as np

    total = 0
    with path.open("rb") as stream:
        stream.seek(begin)
        while begin < end:
            chunk = stream.read(min(_CHUNK_BYTES, end - begin))
            if not chunk:
                break  # the file shrank meanwhile: the sum will not fit
            total = add(total, int(np.frombuffer(chunk[: len(chunk) & ~3], dtype=">u4").sum(dtype=np.uint64)))
            begin += len(chunk)
    return total
