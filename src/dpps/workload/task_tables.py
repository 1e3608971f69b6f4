"""Tasks that a table lists: runs of a simulation, points of a scan.

Each row is a task. A column that is named as a CWL input gives that input's value; a column with ``__`` in
its name is metadata of the task's products.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping

__all__ = ["TaskValue", "metadata_of", "parameters_of", "parse_task_table"]

type TaskValue = str | int | float | bool

_WORDS: Mapping[str, bool] = {"true": True, "false": False}


def parse_task_table(text: str) -> tuple[dict[str, TaskValue], ...]:
    """Read a table: comma-separated values, the first line names the columns, ``#`` begins a comment line.

    Raises
    ------
    ValueError
        Naming the line.
    """
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    rows = csv.reader(io.StringIO("\n".join(lines)), strict=True, skipinitialspace=True)
    try:
        columns = [name.strip() for name in next(rows, [])]
        if not columns or not all(columns) or len(set(columns)) < len(columns):
            raise ValueError("the first line must name each column once")
        return tuple(_row(columns, number, cells) for number, cells in enumerate(rows, start=1))
    except csv.Error as wrong:
        raise ValueError(f"row {rows.line_num - 1}: {wrong}") from wrong


def parameters_of(row: Mapping[str, TaskValue]) -> dict[str, TaskValue]:
    """Return the values of CWL inputs in a row."""
    return {name: value for name, value in row.items() if "__" not in name}


def metadata_of(row: Mapping[str, TaskValue]) -> dict[str, TaskValue]:
    """Return the metadata of the products in a row."""
    return {name: value for name, value in row.items() if "__" in name}


def _row(columns: list[str], number: int, cells: list[str]) -> dict[str, TaskValue]:
    if len(cells) != len(columns):
        raise ValueError(f"row {number} has {len(cells)} values for {len(columns)} columns")
    return {name: _value(cell.strip()) for name, cell in zip(columns, cells, strict=True)}


def _value(text: str) -> TaskValue:
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    for kind in (int, float):
        try:
            value = kind(text)
        except ValueError:
            continue
        if math.isfinite(value) and "_" not in text:
            return value
    return text
