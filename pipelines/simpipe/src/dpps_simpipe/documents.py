"""YAML documents from outside, read with care: neither their text nor what it unfolds to is unbounded."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

__all__ = ["UnreadableDocument", "read_yaml"]

#: No description or model of ours is nearly as large.
_MAX_BYTES = 1_000_000
#: Values that a document may unfold to: a few lines of aliases of aliases would otherwise fill the memory as
#: soon as they are printed or copied.
_MAX_VALUES = 100_000


class UnreadableDocument(ValueError):
    """A file is no YAML document that can be used; says why."""


def read_yaml(path: Path) -> Any:
    """Read a YAML document.

    Parameters
    ----------
    path : Path
        File.

    Returns
    -------
    object
        Plain values, not yet checked.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    UnreadableDocument
        It cannot be read, is no YAML, or too large.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise UnreadableDocument(f"it is larger than {_MAX_BYTES} bytes")
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, UnreadableDocument):
        raise
    except RecursionError as error:
        raise UnreadableDocument("it is nested too deeply") from error
    # Of a tag or a date that does not fit its value PyYAML lets the errors of Python's own types through.
    except (yaml.YAMLError, ValueError, KeyError, AttributeError, TypeError, OSError) as error:
        raise UnreadableDocument(str(error) or type(error).__name__) from error
    _check_size(document)
    return document


def _check_size(document: object) -> None:
    """Count values, those behind aliases each time, no further than the limit."""
    waiting, count = [document], 0
    while waiting:
        count += 1
        one = waiting.pop()
        if isinstance(one, Mapping):
            waiting.extend(one.values())
        elif isinstance(one, list | tuple | set):
            waiting.extend(one)
        if count + len(waiting) > _MAX_VALUES:
            raise UnreadableDocument(f"it unfolds to more than {_MAX_VALUES} values")
