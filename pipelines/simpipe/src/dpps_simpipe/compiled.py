"""The one door to the compiler: typed functions stay typed, compiled code is kept on disk."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numba
import numpy as np
from numba.core import cgutils
from numba.core.types import Array, NumPyRandomGeneratorType
from numba.core.types.containers import BaseTuple
from numba.extending import intrinsic
from numpy.typing import NDArray

__all__ = ["FloatArray", "IntArray", "borrowed", "compiled", "embedded", "forget_stale_code"]

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


def embedded[F: Callable[..., Any]](function: F) -> F:
    """Compile a function into each of its callers.

    For functions that are called for every step of a particle with all that it may meet: handing over some
    hundred numbers would take as long as the work. The price is a longer compilation.

    Parameters
    ----------
    function : callable
        As for `compiled`.

    Returns
    -------
    callable
        The compiled function.
    """
    return cast("F", numba.njit(cache=True, error_model="numpy", forceinline=True)(function))


def _without_owner(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    """Take the owners of memory out of a value of compiled code, and of the members of a tuple."""
    if isinstance(kind, BaseTuple):
        for place, member in enumerate(kind):
            inner = _without_owner(context, builder, member, builder.extract_value(value, place))
            value = builder.insert_value(value, inner, place)
        return value
    if isinstance(kind, Array | NumPyRandomGeneratorType):
        parts = cgutils.create_struct_proxy(kind)(context, builder, value=value)
        parts.meminfo = cgutils.get_null_value(parts.meminfo.type)
        return parts._getvalue()
    return value


def _borrowed(_: Any, value: Any) -> Any:
    """Give type and code of `borrowed`, as `numba.extending.intrinsic` wants it."""

    def code(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return _without_owner(context, builder, value, arguments[0])

    return value(value), code


#: In compiled code: ``borrowed(value)`` is the same array, source of randomness or tuple of them, whose users
#: are not counted. Compiled functions count the users of each array that they are given, with an operation
#: that locks the memory bus; where a function of a few hundred nanoseconds is given fifteen arrays that
#: takes longer than its work. The lender must keep the value until the borrowers are done.
borrowed: Callable[[Any], Any] = intrinsic(_borrowed)

forget_stale_code(Path(__file__).parent)
