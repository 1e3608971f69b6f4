"""Run in the pipelines environment: compare the event files of two folders, table by table, as JSON."""

import json
import sys
from pathlib import Path

import numpy as np
import tables

_TOLERANCE = 1e-6


def differences(one: Path, other: Path) -> tuple[int, int, list[str]]:
    """Give the numbers of tables and rows compared, and what differs beyond the tolerance."""
    found: list[str] = []
    rows = 0
    with tables.open_file(one) as left, tables.open_file(other) as right:
        names = {table._v_pathname for table in left.walk_nodes("/", "Table")}
        if names != {table._v_pathname for table in right.walk_nodes("/", "Table")}:
            return 0, 0, [f"{one.name}: other tables"]
        for name in sorted(names):
            a, b = left.get_node(name)[:], right.get_node(name)[:]
            rows += len(a)
            if len(a) != len(b):
                found.append(f"{one.name}:{name}: {len(a)} and {len(b)} rows")
                continue
            for column in a.dtype.names:
                is_float = a[column].dtype.kind == "f"
                same = (
                    np.allclose(a[column], b[column], rtol=_TOLERANCE, atol=0, equal_nan=True)
                    if is_float
                    else np.array_equal(a[column], b[column])
                )
                if not same:
                    found.append(f"{one.name}:{name}:{column}")
    return len(names), rows, found


def main() -> None:
    """Compare the files of two folders."""
    first, second = (sorted(Path(folder).glob("*.h5")) for folder in sys.argv[1:3])
    if [path.name for path in first] != [path.name for path in second]:
        raise SystemExit("the folders hold other files")
    results = [differences(one, other) for one, other in zip(first, second, strict=True)]
    print(
        json.dumps(
            {
                "files": len(results),
                "tables": sum(one[0] for one in results),
                "rows": sum(one[1] for one in results),
                "differences": [text for one in results for text in one[2]],
            }
        )
    )


if __name__ == "__main__":
    main()
