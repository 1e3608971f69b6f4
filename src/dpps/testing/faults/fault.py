"""What a fault is, and the plan: which faults, in which order, after which pauses. All from one seed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Fault", "Impossible", "Step", "plan"]

_PAUSE_SECONDS = (0.5, 3.0)
_HOLD_SECONDS = (2.0, 7.0)


class Impossible(Exception):
    """The fault cannot be injected here, or not now; the message says why."""


class Fault(Protocol):
    """One kind of bad luck with one victim."""

    kind: str
    target: str
    lasts: bool
    """Whether it goes on until it is healed; else it is done at once."""

    def inject(self, dice: random.Random) -> str:
        """Do it; return what was done, in a few words.

        Raises
        ------
        Impossible
            When there is no way, or nothing to do it to.
        """
        ...

    def heal(self) -> None:
        """Take the cause away; its consequences are the system's affair."""
        ...

    def is_over(self) -> bool:
        """Tell whether the system has got over it."""
        ...


@dataclass(frozen=True, slots=True)
class Step:
    """One fault in its turn."""

    number: int
    fault: Fault
    pause_seconds: float
    """Before it."""
    hold_seconds: float
    """Between injection and healing."""
    seed: int
    """Of the dice that decide its details."""


def plan(faults: Sequence[Fault], seed: int) -> Iterator[Step]:
    """Yield every fault once, in a random order, and then faults at random for ever.

    Parameters
    ----------
    faults : sequence of Fault
        What there is.
    seed : int
        The same seed and faults give the same steps.
    """
    dice = random.Random(seed)  # noqa: S311 - to be repeatable is its purpose
    order = sorted(faults, key=lambda one: (one.kind, one.target))
    dice.shuffle(order)
    number = 0
    while True:
        number += 1
        fault = order[number - 1] if number <= len(order) else dice.choice(order)
        yield Step(
            number, fault, dice.uniform(*_PAUSE_SECONDS), dice.uniform(*_HOLD_SECONDS), dice.getrandbits(32)
        )
