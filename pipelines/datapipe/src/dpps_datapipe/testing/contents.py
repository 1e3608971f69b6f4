"""``python -m dpps_datapipe.testing.contents FILE [NODE:COLUMN …]``: what an HDF5 file holds, as JSON.

Printed are the number of rows of every table, the texts among the attributes of the file, and the
values of the columns that are asked for, null where they are not finite.
"""

import json
import sys
from typing import Any

import numpy as np
import tables

__all__ = ["contents"]


def _values(column: Any) -> list[Any]:
    listed = column.astype(object)
    if column.dtype.kind == "f":
        listed[~np.isfinite(column)] = None
    return list(listed.tolist())


def contents(path: str, columns: list[str]) -> dict[str, Any]:
    """Read a file.

    Parameters
    ----------
    path : str
        HDF5 file.
    columns : list of str
        Columns of tables, ``node:column``.

    Returns
    -------
    dict
        ``rows`` by table, ``texts`` by attribute of the file, values of ``columns``.
    """
    with tables.open_file(path) as file:
        attributes = {name: file.root._v_attrs[name] for name in file.root._v_attrs._f_list("user")}
        return {
            "rows": {table._v_pathname: int(table.nrows) for table in file.walk_nodes("/", "Table")},
            "texts": {name: str(text) for name, text in attributes.items() if isinstance(text, str)},
            "columns": {
                name: _values(file.root[name.partition(":")[0]].col(name.partition(":")[2]))
                for name in columns
            },
        }


if __name__ == "__main__":
    json.dump(contents(sys.argv[1], sys.argv[2:]), sys.stdout)
