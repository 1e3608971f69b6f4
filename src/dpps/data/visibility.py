"""Which files readers see.

Attaching to a dataset is the last step of our own publishing, so a file of ours is seen once it is attached.
Other clients of the catalogue know no such order: what they registered, without our metadata, is seen at
once.
"""

from __future__ import annotations

from dpps.data.ports import Catalogue
from dpps.domain.errors import NotFound
from dpps.domain.files import ArchivedFile
from dpps.domain.names import Lfn

__all__ = ["OUR_MARK", "is_visible", "unknown_file", "visible_file"]

OUR_MARK = "dpps__schema"
"""The metadata key that every file of ours has."""


def is_visible(file: ArchivedFile) -> bool:
    """Tell whether readers see a registered file."""
    return file.dataset is not None or OUR_MARK not in file.metadata


def visible_file(catalogue: Catalogue, lfn: Lfn) -> ArchivedFile:
    """Return a file that readers see.

    Raises
    ------
    NotFound
        When there is none of this name.
    """
    (file,) = catalogue.files([lfn])
    if file is None or not is_visible(file):
        raise unknown_file(lfn)
    return file


def unknown_file(lfn: Lfn) -> NotFound:
    """Return the error for a name that no visible file has."""
    return NotFound(
        f"the archive has no file {lfn}",
        code="lfn-unknown",
        next_step=f"list what is there: dpps data ls {lfn.parent}",
        lfn=lfn,
    )
