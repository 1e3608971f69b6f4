"""Standard output kept for results: the zfits library prints on it."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["library_output_on_stderr"]


@contextmanager
def library_output_on_stderr() -> Iterator[None]:
    """Send what is printed on standard output, also by compiled code, to standard error."""
    sys.stdout.flush()
    saved = os.dup(1)
    try:
        os.dup2(2, 1)
        yield
    finally:
        os.dup2(saved, 1)
        os.close(saved)
