"""Copies that the catalogue calls complete although they were last read back as wrong.

The catalogue learns of damage only when a good copy is left to replace the damaged one with.
"""

from __future__ import annotations

from collections.abc import Collection

from dpps.data.audit.ports import Evidence
from dpps.data.audit.records import WRONG_OUTCOMES, CopyEvidence, CopyKey

__all__ = ["found_wrong"]


def found_wrong(evidence: Evidence, copies: Collection[CopyKey]) -> list[CopyEvidence]:
    """Return the last readings of those copies that were damaged, lost or unreadable then, in their order.

    Parameters
    ----------
    evidence : Evidence
        What the audit knows.
    copies : collection of CopyKey
        Copies that the catalogue calls complete.
    """
    known = evidence.known(list(dict.fromkeys(key.lfn for key in copies)))
    readings = (known.get(key) for key in copies)
    return [one for one in readings if one is not None and one.outcome in WRONG_OUTCOMES]
