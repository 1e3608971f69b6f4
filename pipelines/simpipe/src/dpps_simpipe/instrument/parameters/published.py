"""Make the catalogue of parameters from the schemas that simtools publishes.

``python -m dpps_simpipe.instrument.parameters.published SCHEMAS > simtools.json`` made the package's own: the
newest version of each schema, without what only plots and settings of sim_telarray need.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

__all__ = ["catalogue_of", "condensed"]

#: The safe loader that libyaml speeds up, where it is there.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
#: What is kept of an entry of ``data`` and of a column of a table.
_ENTRY = ("name", "type", "unit", "allowed_values", "required")
_COLUMN = ("name", "type", "unit", "required")


def _range(entry: Mapping[str, Any]) -> dict[str, float]:
    allowed = entry.get("allowed_range") or {}
    return {bound: allowed[bound] for bound in ("min", "max") if bound in allowed}


def _kept(entry: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: entry[key] for key in keys if entry.get(key) is not None} | _range(entry)


def condensed(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Keep what checks need of a schema.

    Parameters
    ----------
    schema : mapping
        Document of a file ``*.schema.yml``.

    Returns
    -------
    dict
        Version, level, description, entries, and the columns of tables.
    """
    entries = [_kept(entry, _ENTRY) | {"has_default": "default" in entry} for entry in schema["data"]]
    columns = [
        _kept(column, _COLUMN) for entry in schema["data"] for column in entry.get("table_columns", [])
    ]
    text = schema.get("short_description") or schema["description"]
    return {
        "version": schema["schema_version"],
        "level": (schema.get("instrument") or {}).get("class", ""),
        "description": " ".join(text.split()),
        "entries": entries,
        **({"columns": columns} if columns else {}),
    }


def catalogue_of(folder: Path) -> dict[str, Any]:
    """Condense a folder of schemas.

    Parameters
    ----------
    folder : Path
        ``simtools/schemas/model_parameters``.

    Returns
    -------
    dict
        By name of the parameter, in alphabetical order.
    """
    catalogue = {}
    for path in sorted(folder.glob("*.schema.yml")):
        newest = next(yaml.load_all(path.read_text(encoding="utf-8"), Loader=_LOADER))
        # Two schemas carry another name inside than that of their file, which simtools goes by.
        catalogue[path.name.removesuffix(".schema.yml")] = condensed(newest)
    return catalogue


if __name__ == "__main__":
    lines = (
        f"{json.dumps(name)}: {json.dumps(entry)}" for name, entry in catalogue_of(Path(sys.argv[1])).items()
    )
    sys.stdout.write("{\n" + ",\n".join(lines) + "\n}\n")
