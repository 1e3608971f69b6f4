"""Print a digest of every event table of HDF5 files, as JSON. Runs in the pipelines environment.

usage: python event_tables.py FILE …
"""

from __future__ import annotations

import hashlib
import json
import sys

import tables


def digests(path: str) -> dict[str, str]:
    """Return table path → digest of column names, types and values, for all tables of events."""
    found = {}
    with tables.open_file(path) as file:
        for table in file.walk_nodes("/", "Table"):
            if "/event/" in table._v_pathname and not table.name.endswith("__table_column_meta__"):
                content = hashlib.sha256(repr(table.dtype).encode())
                content.update(table.read().tobytes())
                found[table._v_pathname] = f"{table.nrows} rows {content.hexdigest()}"
    return found


if __name__ == "__main__":
    json.dump({path.rsplit("/", 1)[1]: digests(path) for path in sys.argv[1:]}, sys.stdout)
