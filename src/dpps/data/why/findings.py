"""What an explanation says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Explanation", "Finding", "Weight"]


class Weight(StrEnum):
    """How a finding bears on the question."""

    GOOD = "good"
    """As it should be."""
    NOTE = "note"
    """To be known; nothing is wrong."""
    WAITS = "waits"
    """Not yet as it should be, and it will be without anyone's doing."""
    BLOCKS = "blocks"
    """Stays as it is until someone does something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One fact with its cause and what comes next."""

    code: str
    """Stable word for programs."""
    weight: Weight
    fact: str
    cause: str = ""
    next: str = ""
    when: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The answer."""

    subject: str
    findings: tuple[Finding, ...]
    known: bool = True
    """False when neither the archive nor the hand-over folder has anything of this name."""

    unanswered: tuple[str, ...] = ()
    """Services that did not answer: the explanation is incomplete."""

    @property
    def verdict(self) -> Weight:
        """The gravest of the findings."""
        order = list(Weight)
        return max((one.weight for one in self.findings), key=order.index, default=Weight.GOOD)
