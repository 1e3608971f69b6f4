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
    """A measured value with its aim and the peer's value."""

    name: str
    value: float
    unit: str
    aim: float | None = None
    """What we want at most."""
    peer: float | None = None
    """The same figure of the published system."""
    peer_source: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times the peer needs what we need."""
        return self.peer / self.value if self.peer is not None and self.value > 0 else None

    @property
    def met(self) -> bool | None:
        """Whether the aim is met; None without an aim."""
        return None if self.aim is None else self.value <= self.aim


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
    print(f"{'figure':42} {'value':>10} {'aim':>10} {'':5} {'peer':>10} {'ratio':>8}")
    for figure in figures:
        aim = "" if figure.aim is None else f"≤ {figure.aim:g}"
        met = {None: "", True: "met", False: "MISSED"}[figure.met]
        peer = "" if figure.peer is None else f"{figure.peer:g}"
        ratio = "" if figure.ratio is None else f"{figure.ratio:.1f} ×"
        value = f"{figure.value:.3g} {figure.unit}"
        print(f"{figure.name:42} {value:>10} {aim:>10} {met:6} {peer:>9} {ratio:>8}  {figure.peer_source}")


def save_figures(figures: Sequence[Figure], path: Path) -> None:
    """Write the figures and the machine they were measured on as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [{**asdict(figure), "ratio": figure.ratio, "met": figure.met} for figure in figures]
    path.write_text(json.dumps({"machine": machine(), "figures": rows}, indent=2) + "\n")
