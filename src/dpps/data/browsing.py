"""Looking around in the archive: folders, and all about one file."""

from __future__ import annotations

from dataclasses import dataclass

from dpps.data.ports import Catalogue, ReplicationRule
from dpps.data.visibility import visible_file
from dpps.domain.errors import NotFound
from dpps.domain.files import ArchivedFile
from dpps.domain.names import Lfn
from dpps.domain.principals import Action, Principal, authorize

__all__ = ["DescribedFile", "FolderEntry", "describe_file", "list_folder"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderEntry:
    """One thing directly below a path."""

    name: str
    """Last component."""
    file: ArchivedFile | None = None
    """None for a folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribedFile:
    """A file with the rules of its dataset."""

    file: ArchivedFile
    rules: tuple[ReplicationRule, ...]


def list_folder(principal: Principal, catalogue: Catalogue, path: str) -> list[FolderEntry]:
    """Return folders and files directly below a path, folders first, by name.

    Raises
    ------
    NotAuthorized
        When the principal may not read.
    NotFound
        When there is nothing of this name.
    """
    authorize(principal, Action.READ, path)
    top = path.rstrip("/")
    datasets = catalogue.datasets(top or "/")
    if not datasets and top:
        raise NotFound(
            f"the archive has no folder {path}",
            code="folder-unknown",
            next_step="list from the top: dpps data ls /",
            path=path,
        )
    folders = {name.removeprefix(top + "/").split("/")[0] for name in datasets if name != top}
    entries = [FolderEntry(name=name) for name in sorted(folders)]
    if top in datasets:
        files = catalogue.files(catalogue.members(top))
        entries += [FolderEntry(name=file.lfn.basename, file=file) for file in files if file is not None]
    return entries


def describe_file(principal: Principal, catalogue: Catalogue, name: str) -> DescribedFile:
    """Return all that is known of one file.

    Raises
    ------
    NotAuthorized
        When the principal may not read.
    NotFound
        When no visible file has this name.
    """
    authorize(principal, Action.READ, name)
    lfn = Lfn(name)
    file = visible_file(catalogue, lfn)
    rules = () if file.dataset is None else tuple(catalogue.rules(file.dataset))
    return DescribedFile(file=file, rules=rules)
