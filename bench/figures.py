"""One measured figure and what it is compared with."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ["Figure", "machine", "print_figures", "save_figures"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A measured value with its aim and the peer's value, measured in the same run where it is not told."""

    name: str
    value: float
    unit: str
    aim: float | None = None
    """What we want at most; at least, where more is better."""
    more_is_better: bool = False
    """Whether the value is a rate and not a cost."""
    aim_ratio: float | None = None
    """How many times better than the peer we want to be."""
    peer: float | None = None
    """The same figure of the peer."""
    peer_source: str = ""
    """What the peer is."""

    @property
    def ratio(self) -> float | None:
        """How many times better than the peer's the value is."""
        if self.peer is None or self.value <= 0 or self.peer <= 0:
            return None
        return self.value / self.peer if self.more_is_better else self.peer / self.value

    @property
    def met(self) -> bool | None:
        """Whether the aim is met; None without an aim."""
        if self.aim_ratio is not None:
            return self.ratio is not None and self.ratio >= self.aim_ratio
        if self.aim is None:
            return None
        return self.value >= self.aim if self.more_is_better else self.value <= self.aim

    @property
    def aim_text(self) -> str:
        """The aim as people write it."""
        if self.aim_ratio is not None:
            return f"≥ {self.aim_ratio:g} ×"
        if self.aim is None:
            return ""
        return f"{'≥' if self.more_is_better else '≤'} {self.aim:g}"


def machine() -> dict[str, object]:
    """Describe the machine and its load, without names."""
    return {
        "cores": os.cpu_count(),
        "load_1_min": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "system": platform.system(),
    }


def print_figures(figures: Sequence[Figure]) -> None:
    """Print a table that reads the same on a terminal and in a file."""
    print(f"{'figure':52} {'value':>14} {'aim':>8} {'':6} {'peer':>8} {'ratio':>8}")
    for figure in figures:
        met = {None: "", True: "met", False: "MISSED"}[figure.met]
        peer = "" if figure.peer is None else f"{figure.peer:.3g}"
        ratio = "" if figure.ratio is None else f"{figure.ratio:.2f} ×"
        value = f"{figure.value:.3g} {figure.unit}"
        print(
            f"{figure.name:52} {value:>14} {figure.aim_text:>8} {met:6} {peer:>8} {ratio:>8}"
            f"  {figure.peer_source}".rstrip()
        )


def save_figures(figures: Sequence[Figure], path: Path) -> None:
    """Write the figures and the machine they were measured on as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [{**asdict(figure), "ratio": figure.ratio, "met": figure.met} for figure in figures]
    path.write_text(json.dumps({"machine": machine(), "figures": rows}, indent=2) + "\n")
