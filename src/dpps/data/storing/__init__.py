"""Storing files that people and jobs bring, as products or for a time."""

from dpps.data.storing.checking import scope_action
from dpps.data.storing.storing import store_files
from dpps.data.storing.values import FileToStore, StoredFile, StoreOutcome, StoreParts, StoreSettings

__all__ = [
    "FileToStore",
    "StoreOutcome",
    "StoreParts",
    "StoreSettings",
    "StoredFile",
    "scope_action",
    "store_files",
]
