"""Valid products for tests that need no real files."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

from dpps.data.ports import Registration
from dpps.domain.files import FileContent, MetadataValue
from dpps.domain.names import Lfn
from dpps.products.metadata import validate_metadata
from tests.unit.data.conftest import Archive

__all__ = ["PRODUCT", "add_product"]

PRODUCT = validate_metadata(
    {
        "description": "made for tests",
        "data__level": "DL0",
        "data__division": "Event",
        "data__association": "Telescope",
        "data__type": "AirShower",
        "instance__id": "788d3c1a-2112-423e-aec9-bfb48c8c7dde",
        "instance__obs_id": 2000000456,
        "model__name": "DL0",
        "model__version": "1",
        "creation_time": "2026-02-14T21:30:00.000000000",
        "contact__name": "nobody",
        "contact__organization": "CTAO",
        "contact__email": "nobody@example.org",
        "curation__release": "DPPS/1.0",
        "activity__name": "test",
        "activity__id": "0b1c5a54-6c0e-4b9a-8c61-2f1d34f1a001",
        "activity__start": "2026-02-14T21:30:00.000000000",
        "activity__configuration_id": "sha256:0",
    }
)


def add_product(
    archive: Archive,
    lfn: Lfn,
    data: bytes,
    metadata: Mapping[str, MetadataValue] | None = None,
    *,
    rse: str = "CSCS",
    prefix: str | None = None,
) -> None:
    """Put a file with its metadata into an archive, attached."""
    content = FileContent(size_bytes=len(data), adler32=f"{zlib.adler32(data):08x}")
    archive.storage.files[f"{prefix or f'memory://{rse}'}{lfn}"] = data
    told = {**PRODUCT, **(metadata or {})}
    archive.catalogue.register(
        [Registration(lfn=lfn, rse=rse, content=content, metadata=told, dataset=lfn.parent)]
    )
    archive.catalogue.attach(lfn.parent, [lfn])
