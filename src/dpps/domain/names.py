"""Logical file names, checked before anything else sees them.

An LFN is ``/<vo>/<scope>/…`` (contracts page; CTAO policy package: scope = second component).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from dpps.domain.errors import InvalidInput

__all__ = ["LFN_LENGTH_MAX", "SCOPE_LENGTH_MAX", "Lfn"]

LFN_LENGTH_MAX = 250
SCOPE_LENGTH_MAX = 25

_COMPONENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+=@,~-]*")
_SCOPE = re.compile(r"[a-zA-Z_\-.0-9]+")


@dataclass(frozen=True, slots=True, order=True)
class Lfn:
    """A location-independent file or dataset name.

    Raises
    ------
    InvalidInput
        When the name is relative, too long, has an empty, hidden or ``..`` component, or characters
        that storage systems and shells disagree about.
    """

    name: str

    def __post_init__(self) -> None:
        parts = self.name.split("/")
        if not self.name.startswith("/") or len(parts) < 4:
            raise self._invalid("it must read /<vo>/<scope>/…")
        if len(self.name) > LFN_LENGTH_MAX:
            raise self._invalid(f"it is longer than {LFN_LENGTH_MAX} characters")
        for part in parts[1:]:
            if not _COMPONENT.fullmatch(part):
                raise self._invalid(f"the component {part!r} is not allowed")
        if len(parts[2]) > SCOPE_LENGTH_MAX or not _SCOPE.fullmatch(parts[2]):
            raise self._invalid(f"the scope {parts[2]!r} is not 1 to {SCOPE_LENGTH_MAX} plain characters")

    def _invalid(self, why: str) -> InvalidInput:
        shown = self.name if len(self.name) <= 80 else self.name[:77] + "…"
        return InvalidInput(
            f"{shown!r} is not a logical file name: {why}",
            code="lfn-invalid",
            next_step="give a name like /ctao/dpps/…/file; letters, digits and ._+=@,~- in each component",
            lfn=self.name,
        )

    @property
    def vo(self) -> str:
        """Virtual organisation: the first component."""
        return self.name.split("/")[1]

    @property
    def scope(self) -> str:
        """Rucio scope: the second component."""
        return self.name.split("/")[2]

    @property
    def parent(self) -> str:
        """Name without its last component."""
        return self.name.rsplit("/", 1)[0]

    @property
    def basename(self) -> str:
        """Last component."""
        return self.name.rsplit("/", 1)[1]

    @property
    def did(self) -> str:
        """Rucio data identifier ``scope:name``."""
        return f"{self.scope}:{self.name}"

    def __str__(self) -> str:
        return self.name
