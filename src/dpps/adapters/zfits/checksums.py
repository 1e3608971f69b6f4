"""The FITS checksum over the bytes as they lie in the file (FITS standard 4.0, appendix J).

``astropy`` computes it over the header as it would write it, which leaves damage in padding unseen.
"""

from __future__ import annotations

from typing import Final

__all__ = ["ALL_ONES", "add", "words_sum"]

ALL_ONES: Final = 0xFFFFFFFF
"""Sum of a whole intact unit, header and data together."""


def add(first: int, second: int) -> int:
    """Return the 32-bit ones' complement sum of two sums."""
    total = first + second
    while total > ALL_ONES:
        total = (total & ALL_ONES) + (total >> 32)
    return total


def words_sum(data: memoryview) -> int:
    """Return the 32-bit ones' complement sum of a range of bytes.

    Units are a multiple of four bytes long; of a file that was cut elsewhere the rest does not count.

    Parameters
    ----------
    data : memoryview
        Bytes, at most some gigabytes.
    """
    import numpy as np

    words = np.frombuffer(data[: len(data) & ~3], dtype=">u4")
    return add(int(words.sum(dtype=np.uint64)), 0)
