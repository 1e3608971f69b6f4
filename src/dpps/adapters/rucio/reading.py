"""Reading files and storages from Rucio in bulk."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from dpps.adapters.rucio.errors import catalogue_errors
from dpps.data.ports import StorageElement
from dpps.data.visibility import OUR_MARK
from dpps.domain.errors import InvalidInput
from dpps.domain.files import ArchivedFile, FileContent, MetadataValue, Replica, ReplicaState
from dpps.domain.names import Lfn

__all__ = ["REPLICA_STATES", "FileReader", "StorageTable"]

_FEW = 8
REPLICA_STATES = {
    "AVAILABLE": ReplicaState.AVAILABLE,
    "COPYING": ReplicaState.COPYING,
    "BAD": ReplicaState.BAD,
}


class StorageTable:
    """The storages, read once and again when a name is unknown.

    Parameters
    ----------
    client : rucio.client.Client
        A connected client.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._elements: dict[str, StorageElement] = {}

    def read(self) -> list[StorageElement]:
        """Return every storage as the catalogue has it now, sorted by name."""
        with catalogue_errors("list the storages"):
            names = sorted(one["rse"] for one in self._client.list_rses())
            self._elements = {name: self._read(name) for name in names}
        return list(self._elements.values())

    def element(self, rse: str) -> StorageElement:
        """Return one storage.

        Raises
        ------
        InvalidInput
            When the catalogue knows no such storage.
        """
        if rse not in self._elements:
            self.read()
        if rse not in self._elements:
            raise InvalidInput(
                f"the catalogue knows no storage {rse!r}",
                code="rse-unknown",
                next_step="list the storages with: dpps site list",
                rse=rse,
            )
        return self._elements[rse]

    def _read(self, rse: str) -> StorageElement:
        attributes = {key: str(value) for key, value in self._client.list_rse_attributes(rse).items()}
        readable = [one for one in self._client.get_protocols(rse) if _read_priority(one) is not None]
        return StorageElement(
            rse=rse,
            onsite=attributes.get("ONSITE") == "True",
            url_prefix=_url_prefix(min(readable, key=lambda one: _read_priority(one) or 0))
            if readable
            else "",
            attributes=attributes,
        )


class FileReader:
    """What Rucio knows of files, for many at once.

    Parameters
    ----------
    client : rucio.client.Client
        A connected client.
    storages : StorageTable
        Where copies can be.
    """

    def __init__(self, client: Any, storages: StorageTable) -> None:
        self._client = client
        self._storages = storages

    def contents(self, lfns: Sequence[Lfn]) -> dict[Lfn, FileContent]:
        """Return size and checksum of those files that are known."""
        with catalogue_errors(f"look up {len(lfns)} files"):
            found = list(self._client.get_metadata_bulk(_dids(lfns))) if lfns else []
        return {
            Lfn(one["name"]): FileContent(size_bytes=one["bytes"], adler32=one["adler32"])
            for one in found
            if one["did_type"] == "FILE"
        }

    def metadata(self, lfns: Sequence[Lfn]) -> dict[Lfn, Mapping[str, MetadataValue]]:
        """Return the flat metadata of those files that are known."""
        with catalogue_errors(f"read the metadata of {len(lfns)} files"):
            found = list(self._client.get_metadata_bulk(_dids(lfns), plugin="JSON")) if lfns else []
        return {Lfn(one.pop("name")): _without(one, "scope") for one in found}

    def attached(self, lfns: Sequence[Lfn]) -> set[Lfn]:
        """Return those files that are members of the dataset that their name says.

        Rucio finds the parents of a file in many steps: where more than a few files of a dataset are
        asked for, reading the dataset is faster.
        """
        by_dataset: dict[str, list[Lfn]] = defaultdict(list)
        for lfn in lfns:
            by_dataset[lfn.parent].append(lfn)
        attached: set[Lfn] = set()
        singles: list[Lfn] = []
        for dataset, files in by_dataset.items():
            if len(files) > _FEW:
                attached.update(self._members(dataset).intersection(files))
            else:
                singles += files
        attached.update(lfn for lfn in singles if self._is_attached(lfn))
        return attached

    def attached_elsewhere(
        self, lfns: Sequence[Lfn], metadata: Mapping[Lfn, Mapping[str, MetadataValue]]
    ) -> dict[Lfn, str]:
        """Return the dataset of files of ours that are no members of the one that their name says.

        One request a file: few files have a dataset of their own, or wait for being attached.
        """
        found = {lfn: self._datasets(lfn) for lfn in lfns if OUR_MARK in metadata.get(lfn, {})}
        return {lfn: datasets[0] for lfn, datasets in found.items() if datasets}

    def _is_attached(self, lfn: Lfn) -> bool:
        return lfn.parent in self._datasets(lfn)

    def _datasets(self, lfn: Lfn) -> list[str]:
        from rucio.common.exception import DataIdentifierNotFound

        with catalogue_errors(f"list the datasets of {lfn}"):
            try:
                parents = list(self._client.list_parent_dids(lfn.scope, lfn.name))
            except DataIdentifierNotFound:
                return []
        return sorted(one["name"] for one in parents if one["type"] == "DATASET")

    def files(self, lfns: Sequence[Lfn]) -> list[ArchivedFile | None]:
        """Return what is known of each file, or None."""
        contents = self.contents(lfns)
        known = list(contents)
        metadata, replicas, attached = self.metadata(known), self._replicas(known), self.attached(known)
        elsewhere = self.attached_elsewhere([lfn for lfn in known if lfn not in attached], metadata)
        return [
            None
            if lfn not in contents
            else ArchivedFile(
                lfn=lfn,
                content=contents[lfn],
                replicas=self._copies(replicas.get(lfn, {})),
                metadata=metadata.get(lfn, {}),
                dataset=lfn.parent if lfn in attached else elsewhere.get(lfn),
            )
            for lfn in lfns
        ]

    def _members(self, dataset: str) -> set[Lfn]:
        from rucio.common.exception import DataIdentifierNotFound

        parent = Lfn(dataset)
        with catalogue_errors(f"list {dataset}"):
            try:
                content = list(self._client.list_content(parent.scope, parent.name))
            except DataIdentifierNotFound:
                return set()
        return {Lfn(one["name"]) for one in content if one["type"] == "FILE"}

    def _replicas(self, lfns: Sequence[Lfn]) -> dict[Lfn, Mapping[str, Any]]:
        if not lfns:
            return {}
        with catalogue_errors(f"list the copies of {len(lfns)} files"):
            found = list(
                self._client.list_replicas(
                    _dids(lfns),
                    all_states=True,
                    resolve_archives=False,
                    sort="random",  # we sort ourselves; the default looks places up on the internet
                )
            )
        return {Lfn(one["name"]): one for one in found}

    def _copies(self, replicas: Mapping[str, Any]) -> tuple[Replica, ...]:
        return tuple(
            Replica(
                rse=rse,
                pfn=self._preferred(replicas["rses"].get(rse, []), rse),
                state=REPLICA_STATES.get(state, ReplicaState.UNAVAILABLE),
                onsite=self._storages.element(rse).onsite,
            )
            for rse, state in sorted(replicas.get("states", {}).items())
        )

    def _preferred(self, urls: Sequence[str], rse: str) -> str:
        """Return the URL that begins as those of its storage do; there may be other ways to it."""
        prefix = self._storages.element(rse).url_prefix
        plain = [_plain_url(url) for url in urls]
        return next((url for url in plain if url.startswith(prefix)), plain[0] if plain else "")


def _dids(lfns: Sequence[Lfn]) -> list[dict[str, str]]:
    return [{"scope": lfn.scope, "name": lfn.name} for lfn in lfns]


def _without(facts: dict[str, Any], key: str) -> dict[str, MetadataValue]:
    return {name: value for name, value in facts.items() if name != key}


def _read_priority(protocol: Mapping[str, Any]) -> int | None:
    """Return the place of a way among those to read from afar: the lowest comes first, None means never."""
    priority: int | None = protocol["domains"]["wan"]["read"]
    return priority


def _url_prefix(protocol: Mapping[str, Any]) -> str:
    port = f":{protocol['port']}" if protocol["port"] else ""
    return f"{protocol['scheme']}://{protocol['hostname']}{port}{protocol['prefix'].rstrip('/')}"


def _plain_url(url: str) -> str:
    """Return a physical URL as prefix and LFN make it.

    Rucio writes port 0 where a storage has none, and two slashes where prefix and name of a file meet.
    """
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    if scheme != "root":  # there the second slash says that the path is absolute
        path = path.replace("//", "/")
    return f"{scheme}://{host.removesuffix(':0')}{slash}{path}"
