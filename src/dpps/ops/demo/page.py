"""The page at the end of the demo: one self-contained HTML file."""

from __future__ import annotations

import base64
from pathlib import Path

from dpps.composition.instance import write_atomically
from dpps.ops.demo.record import DemoRecord, Step

__all__ = ["human_bytes", "render_page", "write_page"]

_LEVELS = ("SIM", "DL0", "DL1", "DL2", "DL3")


def human_bytes(count: int) -> str:
    """Return a byte count as people read it, in powers of 1000."""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def render_page(record: DemoRecord) -> str:
    """Return the page as HTML text.

    Names from files are escaped: an LFN or a title cannot inject markup.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("dpps.ops.demo", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["human_bytes"] = human_bytes
    environment.filters["data_url"] = lambda png: (
        "data:image/png;base64," + base64.b64encode(png).decode("ascii")
    )
    started = record.steps[0].started if record.steps else None
    return environment.get_template("page.html.j2").render(
        record=record,
        started=started,
        bars=[_bar(step, record) for step in record.steps],
        products=sorted(record.products, key=lambda row: (_level_order(row.level), row.lfn)),
        total_bytes=sum(row.size_bytes for row in record.products),
        copies=sum(len(row.copies) for row in record.products),
        verified=sum(copy.verified for row in record.products for copy in row.copies),
    )


def write_page(record: DemoRecord, path: Path) -> Path:
    """Write the page, whole or not at all, and return its path."""
    write_atomically(path, render_page(record))
    return path


def _level_order(level: str) -> int:
    return _LEVELS.index(level) if level in _LEVELS else len(_LEVELS)


def _bar(step: Step, record: DemoRecord) -> dict[str, object]:
    """Place a step on the time axis, in percent of the whole demo."""
    whole = max(record.seconds, 1e-6)
    begin = (step.started - record.steps[0].started).total_seconds()
    rate = step.size_bytes / step.seconds if step.seconds > 0 else 0.0
    return {
        "step": step,
        "left": 100 * begin / whole,
        "width": max(100 * step.seconds / whole, 0.4),
        "rate": f"{human_bytes(int(rate))}/s" if step.size_bytes else "",
    }
