"""Making a package of selected files."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import batched
from pathlib import Path

from dpps.data.lineage import Direction, inputs_of, trace
from dpps.data.packages.records import ExportedPackage, FileRecord, PackageKind, Profile
from dpps.data.packages.rights import check_profile, check_rights, embargo_until
from dpps.data.packages.writing import BagWriter
from dpps.data.policy import PreservationPolicy
from dpps.data.ports import Catalogue, Storage
from dpps.data.retrieval.fetching import fetch
from dpps.data.retrieval.nearness import Nearness
from dpps.data.visibility import is_visible, unknown_file
from dpps.domain.errors import InvalidInput
from dpps.domain.files import ArchivedFile
from dpps.domain.names import Lfn
from dpps.domain.principals import Action, Principal, authorize

__all__ = ["ExportParts", "ExportSettings", "export_package"]

_BATCH = 200
_LINE = re.compile(r"[\r\n]")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportParts:
    """What exporting works with."""

    catalogue: Catalogue
    storage: Storage
    policy: PreservationPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportSettings:
    """What is made."""

    output: Path
    """Folder, or tar file when it ends with ``.tar``; must not exist."""
    kind: PackageKind
    now: datetime
    profile: Profile | None = None
    description: str = ""
    dry_run: bool = False


@dataclass(slots=True)
class _Totals:
    files: int = 0
    size_bytes: int = 0
    derived: list[Lfn] = field(default_factory=list)


def export_package(
    principal: Principal,
    parts: ExportParts,
    lfns: Iterable[Lfn],
    settings: ExportSettings,
    *,
    progress: Callable[[Lfn], None] = lambda _lfn: None,
) -> ExportedPackage:
    """Write files with their metadata, checksums, rights and lineage into a bag.

    Nothing appears under the output's name before all of it is there. Bytes are verified against the
    catalogue.

    Parameters
    ----------
    principal : Principal
        Who asks.
    parts : ExportParts
        The archive.
    lfns : iterable of Lfn
        What to export; taken as it is needed.
    settings : ExportSettings
        What to make; a dry run checks rights and profile of every file and writes nothing.
    progress : callable, optional
        Gets each name that is done.

    Raises
    ------
    NotAuthorized
        When the principal may not, or a file is under embargo.
    InvalidInput
        When a file does not meet the profile, or nothing is selected.
    NotFound
        When there is no such file.
    DamagedFile
        When a file has no good copy.
    Conflict
        When the output exists.
    """
    authorize(principal, Action.PACKAGE, str(settings.output))
    totals = _Totals()
    if settings.dry_run:
        for file in _allowed(principal, parts.catalogue, lfns, settings):
            _count(totals, file)
    else:
        with BagWriter(settings.output) as bag:
            for file in _allowed(principal, parts.catalogue, lfns, settings):
                _add(parts, bag, file)
                _count(totals, file)
                progress(file.lfn)
            _require_some(totals)
            bag.add_tag("provenance.json", _provenance(principal, parts.catalogue, totals.derived))
            bag.finish(_information(principal, settings))
    _require_some(totals)
    return ExportedPackage(
        path=settings.output,
        kind=settings.kind,
        files=totals.files,
        size_bytes=totals.size_bytes,
        dry_run=settings.dry_run,
    )


def _allowed(
    principal: Principal, catalogue: Catalogue, lfns: Iterable[Lfn], settings: ExportSettings
) -> Iterable[ArchivedFile]:
    for batch in batched(lfns, _BATCH):
        for lfn, file in zip(batch, catalogue.files(batch), strict=True):
            if file is None or not is_visible(file):
                raise unknown_file(lfn)
            check_rights(principal, settings.kind, lfn, file.metadata, settings.now)
            check_profile(settings.profile, lfn, file.metadata)
            yield file


def _count(totals: _Totals, file: ArchivedFile) -> None:
    totals.files += 1
    totals.size_bytes += file.content.size_bytes
    if inputs_of(file):
        totals.derived.append(file.lfn)


def _require_some(totals: _Totals) -> None:
    if totals.files == 0:
        raise InvalidInput(
            "the selection has no files", code="selection-empty", next_step="see it with: dpps data find"
        )


def _add(parts: ExportParts, bag: BagWriter, file: ArchivedFile) -> None:
    path = bag.spool / uuid.uuid4().hex
    got = fetch(parts.storage, file, Nearness().nearest_first(file.replicas), path, bag.spool)
    if got.error is not None:
        raise got.error
    sha256, _ = bag.add_payload(f"data{file.lfn}", path)
    record = FileRecord(
        lfn=file.lfn,
        content=file.content,
        sha256=sha256,
        dataset=file.dataset or file.lfn.parent,
        metadata=file.metadata,
        policy_kind=parts.policy.kind_of(file.metadata).name,
        embargo_until=embargo_until(file.metadata),
    )
    bag.add_tag(record.record_name, record.to_json())


def _provenance(principal: Principal, catalogue: Catalogue, lfns: Iterable[Lfn]) -> str:
    """Return the closure of all lineages upwards: each file once, with what it was made from."""
    seen: dict[str, dict[str, object]] = {}
    for lfn in lfns:
        if lfn.name in seen:
            continue
        found = trace(principal, catalogue, lfn.name, Direction.UP)
        for name, node in found.nodes.items():
            seen[name] = {
                "lfn": name,
                "known": node.known,
                "activity": node.activity,
                "software": node.software,
                "production": node.production,
                "used": list(found.relations.get(name, ())),
            }
    return json.dumps({"format": 1, "files": list(seen.values())}, indent=1) + "\n"


def _information(principal: Principal, settings: ExportSettings) -> dict[str, str]:
    facts = {
        "Source-Organization": "Cherenkov Telescope Array Observatory",
        "Bagging-Date": f"{settings.now:%Y-%m-%d}",
        "Bagging-Time": settings.now.isoformat(),
        "External-Identifier": f"urn:uuid:{uuid.uuid4()}",
        "External-Description": _LINE.sub(" ", settings.description) or "products of the archive",
        "Bag-Software-Agent": "dpps",
        "OAIS-Package-Kind": settings.kind.value,
        "Exported-By": _LINE.sub(" ", principal.name),
    }
    if settings.profile is not None:
        facts["OAIS-Profile"] = settings.profile.value
    return facts
