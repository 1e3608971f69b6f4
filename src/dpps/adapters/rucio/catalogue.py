"""The catalogue port on a Rucio server."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import batched
from typing import Any

from dpps.adapters.rucio.errors import catalogue_errors
from dpps.adapters.rucio.folders import FolderTree
from dpps.adapters.rucio.reading import FileReader, StorageTable
from dpps.adapters.rucio.rules import RuleTable
from dpps.adapters.rucio.searching import FileSearch
from dpps.data.ports import (
    Registration,
    RegistrationOutcome,
    ReplicationRule,
    StorageElement,
)
from dpps.data.query.expressions import Query
from dpps.data.query.places import Place
from dpps.domain.errors import Conflict, DppsError, NotAuthorized
from dpps.domain.files import ArchivedFile
from dpps.domain.names import Lfn

__all__ = ["RucioCatalogue"]

_CHUNK = 500


class RucioCatalogue:
    """Files, replicas, rules and metadata, kept by Rucio.

    `dpps.services.rucio_policy.decisions` says which attributes let its account register files, make and end
    rules, or release copies.

    Parameters
    ----------
    client : rucio.client.Client
        A connected client.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._folders = FolderTree(client)
        self._storages = StorageTable(client)
        self._reader = FileReader(client, self._storages)
        self._search = FileSearch(client, self._reader)
        self._rules = RuleTable(client)

    def storage_elements(self) -> list[StorageElement]:
        """Return every storage, sorted by name."""
        return self._storages.read()

    def register(self, registrations: Sequence[Registration]) -> list[RegistrationOutcome]:
        """Enter files with replica, metadata and dataset, in bulk; idempotent by LFN and content."""
        outcomes: list[RegistrationOutcome] = []
        for chunk in batched(registrations, _CHUNK):
            outcomes += self._register(chunk)
        return outcomes

    def _register(self, chunk: Sequence[Registration]) -> list[RegistrationOutcome]:
        lfns = [one.lfn for one in chunk]
        before = self._reader.contents(lfns)
        errors = self._unmakeable_folders(chunk)
        fresh = {
            one.lfn: one
            for one in reversed(chunk)  # of two with one name, the first counts
            if one.lfn not in errors and before.get(one.lfn, one.content) == one.content
        }
        errors |= self._enter(list(fresh.values()))
        # Rucio takes a second registration of a name without comparing the content: look again.
        after = self._reader.contents(lfns)
        outcomes: list[RegistrationOutcome] = []
        for one in chunk:
            taken = after.get(one.lfn, one.content) != one.content
            error = errors.get(one.lfn) or (_taken(one.lfn) if taken else None)
            created = error is None and one.lfn not in before
            outcomes.append(RegistrationOutcome(lfn=one.lfn, created=created, error=error))
        return outcomes

    def _unmakeable_folders(self, chunk: Sequence[Registration]) -> dict[Lfn, DppsError]:
        """Make the datasets; return the files whose dataset cannot be, with the reason."""
        errors: dict[Lfn, DppsError] = {}
        for dataset in dict.fromkeys(one.dataset for one in chunk):
            try:
                self._folders.ensure(dataset)
            except DppsError as error:
                if error.retryable:
                    raise
                errors |= {one.lfn: error for one in chunk if one.dataset == dataset}
        return errors

    def _enter(self, fresh: Sequence[Registration]) -> dict[Lfn, DppsError]:
        """Enter files; return those that are refused, with the reason.

        Rucio refuses a call as a whole: it is repeated in parts until each refusal has its files. What an
        account may not do depends on the scope, which the files of a dataset share: these go no further.
        """
        try:
            self._add_replicas(fresh)
            self._set_metadata(fresh)
        except DppsError as error:
            if error.retryable:
                raise
            parts = _parts(fresh, error)
            if len(parts) < 2:
                return {one.lfn: error for one in fresh}
            return {lfn: refusal for part in parts for lfn, refusal in self._enter(part).items()}
        return {}

    def _add_replicas(self, fresh: Sequence[Registration]) -> None:
        by_rse: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for one in fresh:
            self._storages.element(one.rse)
            by_rse[one.rse].append(
                {**_did(one.lfn), "bytes": one.content.size_bytes, "adler32": one.content.adler32}
            )
        for rse, files in by_rse.items():
            with catalogue_errors(f"register {len(files)} files at {rse}"):
                self._client.add_replicas(rse, files)

    def _set_metadata(self, fresh: Sequence[Registration]) -> None:
        dids = [{**_did(one.lfn), "meta": dict(one.metadata)} for one in fresh if one.metadata]
        if dids:
            with catalogue_errors(f"set the metadata of {len(dids)} files"):
                self._client.set_dids_metadata_bulk(dids)

    def attach(self, dataset: str, lfns: Sequence[Lfn]) -> None:
        """Make registered files visible as members of a dataset; idempotent."""
        parent = Lfn(dataset)
        for chunk in batched(lfns, _CHUNK):
            attachment = {**_did(parent), "dids": [_did(lfn) for lfn in chunk]}
            with catalogue_errors(f"attach {len(chunk)} files to {dataset}"):
                self._client.attach_dids_to_dids([attachment], ignore_duplicate=True)

    def files(self, lfns: Sequence[Lfn]) -> list[ArchivedFile | None]:
        """Return what is known of each file, with replicas and metadata, or None for an unknown one."""
        found: list[ArchivedFile | None] = []
        for chunk in batched(lfns, _CHUNK):
            found += self._reader.files(chunk)
        return found

    def find(
        self,
        query: Query,
        *,
        place: Place | None = None,
        after: Lfn | None = None,
        limit: int | None = None,
    ) -> list[Lfn]:
        """Return visible files that meet a query, in order of scope and name."""
        return self._search.find(query, place=place, after=after, limit=limit)

    def datasets(self, under: str = "/") -> list[str]:
        """Return the names of datasets below a path."""
        place = Place(under.rstrip("/"))
        return sorted(
            name for scope in self._search.scopes(place) for name in self._search.datasets(place, scope)
        )

    def members(self, dataset: str) -> list[Lfn]:
        """Return the files of a dataset, by name."""
        parent = Lfn(dataset)
        with catalogue_errors(f"list {dataset}"):
            return sorted(Lfn(one["name"]) for one in self._client.list_content(parent.scope, parent.name))

    def ensure_rule(self, rule: ReplicationRule) -> str:
        """Make the rule unless an equal one of ours exists; return its id."""
        return self._rules.ensure(rule)

    def rules(self, dataset: str) -> list[ReplicationRule]:
        """Return the rules of a dataset with their states; not those that expire at this moment."""
        return self._rules.of_dataset(dataset)

    def remove_rule(self, rule_id: str) -> None:
        """Let a rule end now; unknown is no error."""
        self._rules.remove(rule_id)

    def retry_rule(self, rule_id: str) -> None:
        """Have the copies at which a rule is stuck tried again soon. Unknown is no error."""
        self._rules.retry(rule_id)

    def kept_copies(self, rule_ids: Sequence[str]) -> Mapping[Lfn, frozenset[str]]:
        """Return, by file, the RSEs whose complete copies these rules keep there."""
        return self._rules.kept_copies(rule_ids)

    def release(self, rse: str, lfns: Sequence[Lfn]) -> None:
        """Allow the deletion of these files' copies at one RSE; locked ones are refused."""
        for chunk in batched(lfns, _CHUNK):
            with catalogue_errors(f"release {len(chunk)} copies at {rse}"):
                self._client.set_tombstone([{**_did(lfn), "rse": rse} for lfn in chunk])


def _parts(refused: Sequence[Registration], error: DppsError) -> list[Sequence[Registration]]:
    """Return into which parts a refused call is divided: its datasets, then halves of one."""
    by_dataset: dict[str, list[Registration]] = defaultdict(list)
    for one in refused:
        by_dataset[one.dataset].append(one)
    if len(by_dataset) > 1:
        return list(by_dataset.values())
    if len(refused) < 2 or isinstance(error, NotAuthorized):
        return [refused]
    middle = len(refused) // 2
    return [refused[:middle], refused[middle:]]


def _did(lfn: Lfn) -> dict[str, str]:
    return {"scope": lfn.scope, "name": lfn.name}


def _taken(lfn: Lfn) -> Conflict:
    return Conflict(
        f"{lfn} is registered with other content",
        code="lfn-taken",
        next_step="a name is never reused: give the file another one",
        lfn=lfn,
    )
