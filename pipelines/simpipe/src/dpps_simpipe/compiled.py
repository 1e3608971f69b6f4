"""The one door to the compiler: typed functions stay typed, compiled code is kept on disk."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = ["FloatArray", "IntArray", "compiled", "forget_stale_code"]

type FloatArray = NDArray[np.floating[Any]]
type IntArray = NDArray[np.integer[Any]]

#: Remembers which sources the kept machine code was made from.
MARK = "compiled_sources.sha256"


def forget_stale_code(folder: Path) -> bool:
    """Remove kept machine code of a package when any of its sources has changed.

    The compiler's own check looks at the file of a function alone, not at the functions that it calls in
    other files.

    Parameters
    ----------
    folder : Path
        Folder of the package.

    Returns
    -------
    bool
        True when code was of other sources (it is removed where the folder can be written).
    """
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.read_bytes())
    mark = folder / "__pycache__" / MARK
    if mark.is_file() and mark.read_text(encoding="ascii") == digest.hexdigest():
        return False
    try:
        for path in folder.rglob("__pycache__/*.nb[ic]"):
            path.unlink(missing_ok=True)
        mark.parent.mkdir(exist_ok=True)
        mark.write_text(digest.hexdigest(), encoding="ascii")
    except PermissionError:
        # An installed package that this user may not write: its code is kept elsewhere, by file date.
        return True
    return True


def compiled[F: Callable[..., Any]](function: F) -> F:
    """Compile a function with numba, without changing its type.

    Parameters
    ----------
    function : callable
        Function of numbers, arrays and named tuples of them.

    Returns
    -------
    callable
        The compiled function; its machine code is cached beside the source.
    """
    return cast("F", numba.njit(cache=True, error_model="numpy")(function))


forget_stale_code(Path(__file__).parent)
