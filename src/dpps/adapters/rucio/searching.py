"""Searching Rucio in order and page by page, with no more in memory than a page needs.

Rucio answers a search in no order and from its beginning only. So a search is first tried as a whole with a
limit: few answers are sorted here, and that is all. When there are more, the names are walked window by
window: a window is some folders of files in the order of names, with whatever lies between them, and grows
while little is found.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from itertools import batched
from typing import Any
from urllib.parse import quote_plus

from dpps.adapters.rucio.errors import catalogue_errors
from dpps.adapters.rucio.filters import CHANGED, Group, ServerQuery, name_pattern, server_query
from dpps.adapters.rucio.reading import FileReader
from dpps.data.query.evaluation import matches
from dpps.data.query.expressions import Query
from dpps.data.query.places import EVERYWHERE, Place
from dpps.data.visibility import OUR_MARK
from dpps.domain.errors import InvalidInput
from dpps.domain.names import Lfn

__all__ = ["FileSearch"]

_WHOLE_MAX = 1000
"""Answers that are sorted here rather than asked for by windows."""
_FOLDERS_MAX = 64
_REQUEST_BYTES = 3000
"""Of filters in an address; servers take 4094 bytes of it by default."""
_CHECKED_MIN, _CHECKED_MAX = 25, 500
_AFTER_FOLDER = "0"
"""The character after the slash: names below ``a`` lie between ``a/`` and ``a0``."""
_AFTER_ALL = "/~"
"""Components of names begin with letters and digits."""
_LOG = logging.getLogger(__name__)


class FileSearch:
    """Finds files by metadata and name.

    Parameters
    ----------
    client : rucio.client.Client
        A connected client.
    reader : FileReader
        Reads what the search does not answer.
    """

    def __init__(self, client: Any, reader: FileReader) -> None:
        self._client = client
        self._reader = reader

    def find(self, query: Query, *, place: Place | None, after: Lfn | None, limit: int | None) -> list[Lfn]:
        """Return visible files that meet a query, in order of scope and name."""
        where, wanted = place or EVERYWHERE, server_query(query)
        found: list[Lfn] = []
        if not wanted.groups:
            return found
        for scope in self._scopes_from(where, after):
            start = after.name if after is not None and after.scope == scope else ""
            for names, exact in self._in_order(scope, wanted, where, start):
                passing = [Lfn(name) for name in names if name > start and where.holds(name)]
                step = _CHECKED_MAX if limit is None else min(max(_CHECKED_MIN, limit), _CHECKED_MAX)
                for chunk in batched(passing, step):
                    found += self._meeting(chunk, query, exact=exact)
                    if limit is not None and len(found) >= limit:
                        return found[:limit]
        return found

    def scopes(self, place: Place) -> list[str]:
        """Return the scopes in which names of a place can be, in order."""
        if place.scope is not None:
            return [place.scope]
        with catalogue_errors("list the scopes"):
            return sorted(self._client.list_scopes())

    def datasets(self, place: Place, scope: str) -> list[str]:
        """Return the names of the datasets of a place in one scope, in the order of the files below them."""
        top = place.folder
        filters = [{"name": name_pattern(f"{top}/*")}] + ([{"name": name_pattern(top)}] if top else [])
        with catalogue_errors(f"list the datasets below {place}"):
            names = set(self._client.list_dids(scope, filters, "dataset"))
        below = Place(top)
        return sorted((name for name in names if below.holds(name)), key=lambda name: f"{name}/")

    def _scopes_from(self, place: Place, after: Lfn | None) -> list[str]:
        return [scope for scope in self.scopes(place) if after is None or scope >= after.scope]

    def _in_order(
        self, scope: str, wanted: ServerQuery, place: Place, start: str
    ) -> Iterator[tuple[list[str], bool]]:
        """Yield sorted lists of names, each list after the one before, and whether all meet the query."""
        try:
            names = self._names(scope, _below(wanted.groups, place), limit=_WHOLE_MAX + 1)
        except InvalidInput as refused:
            # Another client wrote, say, a text where all others have a number: the server compares nothing.
            _LOG.warning("the server cannot compare, all names are looked at: %s", refused.message)
            wanted, names = ServerQuery(groups=({},), exact=False), None
        if names is not None and len(names) <= _WHOLE_MAX:
            yield sorted(names), wanted.exact
            return
        for window in self._windows(scope, wanted, place, start or "/"):
            yield window, wanted.exact

    def _windows(self, scope: str, wanted: ServerQuery, place: Place, start: str) -> Iterator[list[str]]:
        folders = _outermost(name for name in self.datasets(place, scope) if f"{name}{_AFTER_FOLDER}" > start)
        position, size = start, 1
        while folders:
            window, folders = folders[:size], folders[size:]
            end = f"{window[-1]}{_AFTER_FOLDER}"
            names = self._window(scope, wanted, window, position, end)
            yield sorted(names)
            size = min(2 * size, _FOLDERS_MAX) if len(names) < _WHOLE_MAX else 1
            position = end
        yield sorted(self._between(scope, [(position, _AFTER_ALL)]))

    def _window(
        self, scope: str, wanted: ServerQuery, folders: Sequence[str], position: str, end: str
    ) -> set[str]:
        if wanted.groups == ({},):
            return self._between(scope, [(position, end)])
        inside: list[Group] = [
            {**group, "name": name_pattern(f"{folder}/*")} for group in wanted.groups for folder in folders
        ]
        edges = [position, *(f"{folder}{_AFTER_FOLDER}" for folder in folders)]
        gaps = [
            (low, f"{folder}/") for low, folder in zip(edges, folders, strict=False) if low < f"{folder}/"
        ]
        places = tuple(Place(folder) for folder in folders)
        found = {name for name in self._names(scope, inside) if any(one.holds(name) for one in places)}
        return found | self._between(scope, gaps)

    def _between(self, scope: str, ranges: Sequence[tuple[str, str]]) -> set[str]:
        """Return names from the first one, included, up to the second one of each range."""
        groups: list[Group] = [{"name.gte": _floor(low), "name.lt": _ceiling(high)} for low, high in ranges]
        names = self._names(scope, groups)
        return {name for name in names if any(low <= name < high for low, high in ranges)}

    def _names(self, scope: str, groups: Sequence[Group], *, limit: int | None = None) -> set[str]:
        names: set[str] = set()
        for part in _requests(groups):
            names |= self._search(scope, part, limit)
            if limit is not None and len(names) >= limit:
                break
        return names

    def _search(self, scope: str, groups: Sequence[Group], limit: int | None) -> set[str]:
        """Ask as Rucio's own client does, which cannot say how many answers are enough."""
        from rucio.common.constants import HTTPMethod
        from rucio.common.utils import build_url

        facts: dict[str, Any] = {"type": "file", "filters": list(groups)}
        if limit is not None:
            facts["limit"] = limit
        path = f"{self._client.DIDS_BASEURL}/{quote_plus(scope)}/dids/search"
        url = build_url(self._client.list_hosts[0], path=path, params=facts)
        with catalogue_errors(f"search in {scope}"):
            answer = self._client._send_request(url, method=HTTPMethod.GET)
            if answer.status_code != 200:
                kind, message = self._client._get_exception(
                    headers=answer.headers, status_code=answer.status_code, data=answer.content
                )
                raise kind(message)
            return set(self._client._load_json_data(answer))

    def _meeting(self, lfns: Sequence[Lfn], query: Query, *, exact: bool) -> list[Lfn]:
        """Return those files that readers see and that really meet the query."""
        attached = self._reader.attached(lfns)
        unattached = [lfn for lfn in lfns if lfn not in attached]
        metadata = self._reader.metadata(unattached if exact else lfns)
        files = self._reader.contents(unattached)  # collections have metadata too
        theirs = {lfn for lfn in files if OUR_MARK not in metadata.get(lfn, {})}
        seen = attached | theirs | self._reader.attached_elsewhere(list(files), metadata).keys()
        return [lfn for lfn in lfns if lfn in seen and (exact or matches(metadata.get(lfn, {}), query))]


def _outermost(folders: Iterable[str]) -> list[str]:
    """Leave out folders that lie in others; they come after them."""
    kept: list[str] = []
    for folder in folders:
        if not kept or not folder.startswith(f"{kept[-1]}/"):
            kept.append(folder)
    return kept


def _floor(name: str) -> str:
    """Return a name not after this one that Rucio does not change: it writes truth values with a capital."""
    changed = CHANGED.search(name)
    return name if changed is None else name[: changed.start()] or "/"


def _ceiling(name: str) -> str:
    """Return a name not before this one that Rucio does not change."""
    changed = CHANGED.search(name)
    if changed is None:
        return name
    return name[: changed.start()] + chr(ord(name[changed.start()]) + 1)


def _below(groups: Sequence[Group], place: Place) -> list[Group]:
    """Add the place to each group."""
    pattern = name_pattern(place.pattern if place.is_glob else f"{place.pattern}/*")
    if pattern.strip("%") in ("", "/"):
        return [dict(group) or {"name": "/*"} for group in groups]
    itself = [] if place.is_glob else [{**group, "name": name_pattern(place.pattern)} for group in groups]
    return [{**group, "name": pattern} for group in groups] + itself


def _requests(groups: Sequence[Group]) -> Iterator[list[Group]]:
    """Divide groups so that the address of each request stays short."""
    part: list[Group] = []
    length = 0
    for group in groups:
        needed = len(quote_plus(json.dumps(group)))
        if part and length + needed > _REQUEST_BYTES:
            yield part
            part, length = [], 0
        part.append(group)
        length += needed
    if part:
        yield part
