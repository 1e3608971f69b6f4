"""The catalogue server's policy package: the observatory's published one, with permissions of our own.

Names, schema and algorithms are those of ``bdms_rucio_policy``, so a stock client that is configured with
that package talks to this server unchanged. What differs is who may do what (`permission`). Rucio imports
this package by the name in ``[policy] package`` of the server's configuration; it runs in the ``rucio``
environment and imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import bdms_rucio_policy

__all__ = ["SUPPORTED_VERSION", "get_algorithms", "pfn2lfn"]

SUPPORTED_VERSION: str = bdms_rucio_policy.SUPPORTED_VERSION
"""Versions of Rucio that the published package supports; Rucio refuses to start with another one."""


def get_algorithms() -> Mapping[str, Mapping[str, Callable[..., Any]]]:
    """Return the published ``lfn2pfn`` and ``scope``, and the way back, all named ``ctao_bdms``."""
    algorithms: Mapping[str, Mapping[str, Callable[..., Any]]] = bdms_rucio_policy.get_algorithms()
    return {**algorithms, "pfn2lfn": {"ctao_bdms": pfn2lfn}}


def pfn2lfn(parsed: Mapping[str, str]) -> tuple[str, str]:
    """Return name and scope of the file that has a physical name; a short path has no scope.

    Without it Rucio takes the first folder for the scope and the last component for the name, knows no such
    file, and lets reports of suspicious copies fall.

    Parameters
    ----------
    parsed : mapping of str to str
        ``path``, with slashes at both ends, and ``name``, below the prefix of the storage.
    """
    name = parsed["path"] + parsed["name"]
    folders = name.split("/")
    return name, folders[2] if len(folders) > 2 else ""
