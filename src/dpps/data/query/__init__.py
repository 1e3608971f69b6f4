"""The query language over product metadata, and the use cases that find files with it.

::

    data__level = 'DL0' and (instance__obs_id in (12, 13) or tel_ids contains 4)
    start_time between '2026-02-14' and '2026-02-15' and not dpps__toy = true
    dpps__production like 'lst1-%' and instance__target_id is present

`expressions` holds the values, `parsing` reads them from text, `formatting` writes them, `evaluation` decides
on metadata at hand, `keys` knows what can be asked, `places` says below which names, `finding` asks the
archive.
"""

from dpps.data.query.evaluation import matches
from dpps.data.query.expressions import (
    EVERYTHING,
    AllOf,
    AnyOf,
    Between,
    Comparison,
    Not,
    OneOf,
    Presence,
    Query,
    keys_of,
)
from dpps.data.query.finding import FoundPage, find_files, find_lfns, find_page
from dpps.data.query.formatting import format_query
from dpps.data.query.parsing import parse_query
from dpps.data.query.places import EVERYWHERE, Place, parse_place

__all__ = [
    "EVERYTHING",
    "EVERYWHERE",
    "AllOf",
    "AnyOf",
    "Between",
    "Comparison",
    "FoundPage",
    "Not",
    "OneOf",
    "Place",
    "Presence",
    "Query",
    "find_files",
    "find_lfns",
    "find_page",
    "format_query",
    "keys_of",
    "matches",
    "parse_place",
    "parse_query",
]
