"""Reading YAML of others: strictly, and with errors that name the place."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from dpps_aiv.errors import AivError
from dpps_aiv.identifiers import did_you_mean


class _StrictLoader(yaml.SafeLoader):
    """A safe loader for which a key given twice is an error, not a silent loss."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[object] = set()
        for key_node, _ in node.value:
            # A sequence may stand as a key in YAML; the parent class refuses it with a place.
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else id(key_node)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    "while reading a mapping",
                    node.start_mark,
                    f"key {key!r} is given twice",
                    key_node.start_mark,
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path, *, next_step: str) -> object:
    """Read one YAML document.

    Raises
    ------
    AivError
        If the file cannot be read or is not one YAML document without repeated keys.
    """
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_StrictLoader)  # noqa: S506 - a SafeLoader
    except OSError as error:
        raise AivError([f"{path}: cannot be read: {error.strerror}"], next_step=next_step) from error
    except UnicodeDecodeError as error:
        raise AivError([f"{path}: is not UTF-8 text (byte {error.start})"], next_step=next_step) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise AivError([f"{path}: is not valid YAML: {error}"], next_step=next_step) from error


def validation_problems(
    where: str, document: object, error: ValidationError, entry_model: type[BaseModel], entries: str
) -> list[str]:
    """Put pydantic's errors in words that name file, entry and key.

    Parameters
    ----------
    where
        The file, as shown to the user.
    document
        What the file holds.
    error
        What pydantic said.
    entry_model
        The model of one entry: its keys are offered for a misspelt one.
    entries
        The key of the document under which the entries are listed.
    """
    problems = []
    for detail in error.errors(include_url=False):
        location = list(detail["loc"])
        place = [where]
        if location[:1] == [entries] and len(location) > 1:
            place.append(_entry_name(document, entries, location[1]))
            location = location[2:]
        message = detail["msg"].removeprefix("Value error, ")
        if detail["type"] == "extra_forbidden":
            key = str(location.pop())
            message = f"unknown key {key!r}{did_you_mean(key, entry_model.model_fields)}"
        if location:
            place.append(".".join(map(str, location)))
        problems.append(": ".join((*place, message)))
    return problems


def _entry_name(document: object, entries: str, index: int | str) -> str:
    """Name an entry by its id where it has one, by its number otherwise."""
    if isinstance(document, dict) and isinstance(index, int):
        listed = document.get(entries)
        if isinstance(listed, list) and isinstance(listed[index], dict) and "id" in listed[index]:
            return str(listed[index]["id"])
        return f"entry {index + 1}"
    return str(index)
