"""The one door to the compiler: typed functions stay typed, compiled code is kept on disk."""

from collections.abc import Callable
from typing import Any, cast

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = ["FloatArray", "IntArray", "compiled"]

type FloatArray = NDArray[np.floating[Any]]
type IntArray = NDArray[np.integer[Any]]


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
