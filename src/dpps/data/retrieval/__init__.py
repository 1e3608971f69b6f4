"""Retrieving files: the nearest good copy, verified, one file or a million."""

from dpps.data.retrieval.fetching import RetrievedFile
from dpps.data.retrieval.nearness import Nearness, parse_nearness
from dpps.data.retrieval.reports import DamagedCopy, DamageReports
from dpps.data.retrieval.streaming import RetrievalParts, RetrievalSettings, get_files, retrieve

__all__ = [
    "DamageReports",
    "DamagedCopy",
    "Nearness",
    "RetrievalParts",
    "RetrievalSettings",
    "RetrievedFile",
    "get_files",
    "parse_nearness",
    "retrieve",
]
