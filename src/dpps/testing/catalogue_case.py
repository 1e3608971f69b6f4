"""What the suites for the ``Catalogue`` port have in common: raw access, and files to register."""
# ruff: noqa: D102 - the names say it

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from dpps.data.ports import Catalogue, Registration
from dpps.domain.files import FileContent, MetadataValue
from dpps.domain.names import Lfn

__all__ = ["CatalogueCase", "RawCatalogue"]


class RawCatalogue(Protocol):
    """Direct access to what a catalogue keeps, without the code under test."""

    onsite_rse: str
    offsite_rse: str

    def content(self, lfn: Lfn) -> FileContent | None:
        """Return size and checksum as stored."""
        ...

    def metadata(self, lfn: Lfn) -> Mapping[str, MetadataValue]:
        """Return the metadata as stored."""
        ...

    def copies(self, lfn: Lfn) -> set[str]:
        """Return the RSEs at which copies are registered as available."""
        ...

    def members(self, dataset: str) -> set[str]:
        """Return the names attached to a dataset or container."""
        ...

    def rules(self, dataset: str) -> list[tuple[int, str]]:
        """Return copies and expression of each rule."""
        ...

    def deletable(self, rse: str, lfn: Lfn) -> bool:
        """Tell whether the copy may be deleted now."""
        ...

    def add_copy(self, lfn: Lfn, rse: str) -> None:
        """Register an available copy, as a finished transfer would."""
        ...


class CatalogueCase:
    """Files for tests. ``folder`` is a path ``/<vo>/<scope>/<unique>`` in which nothing else is."""

    @staticmethod
    def file(
        folder: str,
        name: str,
        *,
        rse: str,
        adler32: str = "0a0b0c0d",
        metadata: Mapping[str, MetadataValue] | None = None,
    ) -> Registration:
        lfn = Lfn(f"{folder}/{name}")
        return Registration(
            lfn=lfn,
            rse=rse,
            content=FileContent(size_bytes=1234, adler32=adler32),
            metadata={"dpps__schema": 1, **(metadata or {})},
            dataset=lfn.parent,
        )

    def enter(self, catalogue: Catalogue, *files: Registration) -> None:
        assert [outcome.error for outcome in catalogue.register(files)] == [None] * len(files)
        for file in files:
            catalogue.attach(file.dataset, [file.lfn])
