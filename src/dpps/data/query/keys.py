"""What can be asked for: every key of product metadata with the kind of its values."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from functools import cache

from dpps.products.metadata import OUR_KEYS, PUBLISHED_KEYS, product_keys

__all__ = ["kind_of_key", "known_keys", "nearest_keys"]

_INDEX = re.compile(r"__\d+(?=__|$)")


@cache
def known_keys() -> Mapping[str, str]:
    """Return every key with its kind (``#`` stands for an index)."""
    return {**product_keys(), **PUBLISHED_KEYS, **OUR_KEYS}


def kind_of_key(key: str, keys: Mapping[str, str]) -> str | None:
    """Return the kind of a key's values as `dpps.products.metadata.OUR_KEYS` names them; None if unknown."""
    return keys.get(key) or keys.get(_INDEX.sub("__#", key))


def nearest_keys(key: str, keys: Mapping[str, str]) -> list[str]:
    """Return known keys that may have been meant, the likeliest first; at most three.

    Keys whose last part is the one given come first (``obs_id`` for ``instance__obs_id``).
    """
    wanted = key.lower()
    same_end = [known for known in keys if known.lower().rsplit("__", 1)[-1] == wanted.rsplit("__", 1)[-1]]
    alike = difflib.get_close_matches(wanted, list(keys), n=3, cutoff=0.6)
    return list(dict.fromkeys([*same_end, *alike]))[:3]
