"""The array description of raw data: ctapipe looks it up in ``CTAPIPE_SVC_PATH``, else over the network.

The package carries the description of the arrays of the simulation's instrument
model (``dpps-simpipe service-data`` writes it), so that a job on any worker has
one. A description that the user names comes first.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

__all__ = ["VARIABLE", "array_description", "packaged_description"]

#: Folders in which ctapipe looks for service data, separated by colons.
VARIABLE = "CTAPIPE_SVC_PATH"
#: Its presence tells service data from other resources.
_MARK = "instrument.meta.json"


def packaged_description() -> Path:
    """Give the folder of service data that comes with the package.

    Returns
    -------
    pathlib.Path
        For ``CTAPIPE_SVC_PATH``.
    """
    return Path(str(files("dpps_datapipe").joinpath("resources", "instrument")))


@contextmanager
def array_description() -> Iterator[None]:
    """See to it that raw data find their array description while a tool runs.

    ctapipe's record of provenance names the variable and the files that were read.

    Yields
    ------
    None
        While the variable is set.
    """
    before = os.environ.get(VARIABLE)
    if _has_description(before or ""):
        yield
        return
    os.environ[VARIABLE] = ":".join(filter(None, (before, str(packaged_description()))))
    try:
        yield
    finally:
        if before is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = before


def _has_description(folders: str) -> bool:
    """Whether a folder of a search path holds service data."""
    return any(Path(folder, _MARK).is_file() for folder in os.path.expandvars(folders).split(":") if folder)
