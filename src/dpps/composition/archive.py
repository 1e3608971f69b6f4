"""The archive for people who write Python: open it, put files in, find them, get them out.

>>> from dpps.composition.archive import open_archive
>>> archive = open_archive("/var/lib/dpps")                         # doctest: +SKIP
>>> archive.put(["events.fits"], metadata={"data": {"level": "DL3", ...}})  # doctest: +SKIP
>>> archive.find("data__level = 'DL3' and instance__obs_id = 7")    # doctest: +SKIP
>>> archive.get(["/ctao/dpps/…/events.fits"], "here")               # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

from dpps.composition.data import build_catalogue, build_inspectors, build_policy
from dpps.composition.instance import Instance
from dpps.composition.principals import local_principal
from dpps.composition.rucio_accounts import connect_account
from dpps.composition.state import StateFolder, default_state_folder
from dpps.composition.storage import build_storage
from dpps.data.browsing import DescribedFile, describe_file
from dpps.data.policy import PreservationPolicy
from dpps.data.ports import Catalogue
from dpps.data.query import find_files
from dpps.data.retrieval import RetrievedFile, get_files
from dpps.data.storing import FileToStore, StoredFile, StoreParts, StoreSettings, scope_action, store_files
from dpps.data.temporary import ExtendedFile, extend_lifetime
from dpps.domain.errors import InvalidInput
from dpps.domain.files import ArchivedFile
from dpps.domain.names import Lfn
from dpps.domain.principals import Action, Principal
from dpps.products.submitted import flat_metadata

__all__ = ["Archive", "open_archive"]

_PUBLISHER, _INGEST = "production", "ingest"
"""Accounts of the catalogue: of products and temporary files, and of the telescopes' data."""


def open_archive(state: Path | str | None = None) -> Archive:
    """Return the archive of a running system.

    Parameters
    ----------
    state : path, optional
        State folder of the system; by default that of the commands (``DPPS_STATE``).

    Raises
    ------
    NotFound
        When the folder holds no system.
    NotAuthorized
        When ``DPPS_PRINCIPAL`` names nobody whom the system knows.
    """
    folder = StateFolder((Path(state) if state is not None else default_state_folder()).absolute())
    return Archive(folder=folder, instance=Instance.load(folder), principal=local_principal(folder))


@dataclass(frozen=True, kw_only=True)
class Archive:
    """The archive, as one principal; made by `open_archive`."""

    folder: StateFolder = field(repr=False)
    instance: Instance = field(repr=False)
    principal: Principal
    """On whose behalf everything is done."""

    def put(
        self,
        files: Sequence[FileToStore | Path | str],
        *,
        metadata: Mapping[str, object] | None = None,
        temporary: timedelta | None = None,
        rse: str | None = None,
        pass_number: int = 1,
        dry_run: bool = False,
        progress: Callable[[StoredFile], None] | None = None,
    ) -> list[StoredFile]:
        """Store local files, and say what became of each, in the order given.

        Calling it again with the same files finishes what was interrupted, and changes nothing else.

        Parameters
        ----------
        files : sequence of FileToStore or path
            What to store; `FileToStore` says more about one file: its own metadata, name and dataset.
        metadata : mapping, optional
            Keys of ``ctao_datamodel``'s ``Product`` that all files share, nested or flat.
        temporary : timedelta, optional
            Store them for this time only; they need no metadata then.
        rse : str, optional
            Storage that takes the first copy; by default the one near to where jobs run.
        pass_number : int
            1 for the first processing, one more for each reprocessing: a name is never used twice.
        dry_run : bool
            Check everything, store nothing.
        progress : callable, optional
            Gets each result.

        Raises
        ------
        InvalidInput
            When the storage or the lifetime cannot be used.
        Unavailable, StorageFull
            When the system does not answer, or is full.
        """
        settings = StoreSettings(
            vo=self.instance.vo,
            rse=rse or self.instance.computing_storage,
            lifetime=temporary,
            pass_number=pass_number,
            dry_run=dry_run,
        )
        shared = flat_metadata(metadata or {})
        wanted = [_with_metadata(one, shared) for one in files]
        results: dict[int, StoredFile] = {}
        for account in (_INGEST, _PUBLISHER):
            mine = [number for number, file in enumerate(wanted) if _account(file) == account]
            if mine:
                parts, chosen = self._store_parts(account), [wanted[number] for number in mine]
                stored = store_files(self.principal, parts, settings, chosen, progress=progress)
                results |= zip(mine, stored, strict=True)
        return [results[number] for number in range(len(wanted))]

    def extend(
        self, lfns: Sequence[str], lifetime: timedelta, *, dry_run: bool = False
    ) -> list[ExtendedFile]:
        """Keep temporary files for a time from now, and say of each until when.

        Raises
        ------
        InvalidInput, NotAuthorized, Unavailable
            When a name or the time is wrong, the principal may not, or the catalogue does not answer.
        """
        parts = self._store_parts(_PUBLISHER)
        return extend_lifetime(
            self.principal,
            parts.catalogue,
            parts.keeper,
            [Lfn(name) for name in lfns],
            lifetime,
            dry_run=dry_run,
        )

    def get(
        self, lfns: Sequence[str], destination: Path | str, *, near: str | None = None
    ) -> list[RetrievedFile]:
        """Retrieve files into a folder, verified; see `dpps.data.retrieval.get_files`."""
        names = [Lfn(name) for name in lfns]
        storage = build_storage(self.folder, "reader")
        return get_files(self.principal, self._reader, storage, names, Path(destination), near=near)

    def find(self, expression: str, *, under: str = "/", limit: int | None = None) -> list[ArchivedFile]:
        """Return files by metadata, e.g. ``"data__level = 'DL3' and instance__obs_id = 7"``."""
        return find_files(self.principal, self._reader, expression, under=under, limit=limit)

    def info(self, lfn: str) -> DescribedFile:
        """Return all that is known of one file."""
        return describe_file(self.principal, self._reader, lfn)

    @property
    def policy(self) -> PreservationPolicy:
        """What is kept of every kind of product."""
        return build_policy(self.folder)

    @cached_property
    def _reader(self) -> Catalogue:
        return build_catalogue(self.folder, "reader")

    def _store_parts(self, account: str) -> StoreParts:
        from dpps.adapters.rucio.catalogue import RucioCatalogue
        from dpps.adapters.rucio.temporary import RucioTemporaryKeeper

        client = connect_account(self.folder, account)
        return StoreParts(
            catalogue=RucioCatalogue(client),
            storage=build_storage(self.folder, "ingest" if account == _INGEST else "workload"),
            policy=self.policy,
            keeper=RucioTemporaryKeeper(client),
            inspectors=build_inspectors(),
            clock=lambda: datetime.now(UTC),
        )


def _with_metadata(file: FileToStore | Path | str, shared: Mapping[str, object]) -> FileToStore:
    if not isinstance(file, FileToStore):
        return FileToStore(path=Path(file), metadata=shared)
    own = flat_metadata(file.metadata)
    return FileToStore(path=file.path, metadata={**shared, **own}, lfn=file.lfn, dataset=file.dataset)


def _account(file: FileToStore) -> str:
    """Return the account of the catalogue that may write a file's scope."""
    try:
        raw = file.lfn is not None and scope_action(Lfn(file.lfn)) is Action.INGEST
    except InvalidInput:
        raw = False  # the file is refused for its name, by either
    return _INGEST if raw else _PUBLISHER
