"""Names, scopes and metadata of files to store: everything that is told without writing a byte."""

from __future__ import annotations

import stat
from pathlib import Path

from dpps.data.fixity import local_error
from dpps.data.ports import Inspection
from dpps.data.storing.values import Candidate, FileToStore, StoreCall
from dpps.data.temporary import TEMPORARY_SCOPE
from dpps.domain.errors import InvalidInput
from dpps.domain.names import Lfn
from dpps.domain.principals import Action, authorize
from dpps.products.submitted import SubmittedProduct, describe_submitted, describe_temporary, flat_metadata

__all__ = ["check_file", "scope_action"]

PRODUCT_SCOPE = "dpps"


def scope_action(lfn: Lfn) -> Action:
    """Return what storing under a name asks leave for: each scope has writers of its own.

    Temporary files are for everyone who may store, products for those who may publish; every other scope is
    an archive of telescopes, which only the ingest identities may write.
    """
    return {TEMPORARY_SCOPE: Action.STORE, PRODUCT_SCOPE: Action.PUBLISH}.get(lfn.scope, Action.INGEST)


def check_file(call: StoreCall, file: FileToStore) -> Candidate:
    """Check everything about a file that can be told without reading it."""
    size_bytes = _size_bytes(file.path)
    inspection = _inspection(call, file)
    product = _described(call, file, inspection)
    _check_scope(call, product.lfn)
    authorize(call.principal, scope_action(product.lfn), product.lfn.name)
    dataset = Lfn(file.dataset) if file.dataset is not None else Lfn(product.lfn.parent)
    if dataset.scope != product.lfn.scope or dataset.vo != product.lfn.vo:
        raise InvalidInput(
            f"{product.lfn} cannot be in the dataset {dataset}: that is another scope",
            code="dataset-invalid",
            next_step=f"name a dataset below /{product.lfn.vo}/{product.lfn.scope}/",
            lfn=product.lfn,
        )
    first = call.names.setdefault(product.lfn, file.path)
    if first != file.path:
        raise InvalidInput(
            f"{file.path} and {first} would both be named {product.lfn}",
            code="lfn-ambiguous",
            next_step="tell them apart in their metadata, or name each with --lfn",
            lfn=product.lfn,
        )
    product = SubmittedProduct(lfn=product.lfn, dataset=dataset.name, metadata=product.metadata)
    inspected = None if inspection is None else inspection.content
    return Candidate(file=file, product=product, size_bytes=size_bytes, inspected=inspected)


def _size_bytes(path: Path) -> int:
    try:
        status = path.stat()
    except OSError as wrong:
        raise local_error(wrong, path) from wrong
    if not stat.S_ISREG(status.st_mode) or status.st_size == 0:
        what = "is empty" if stat.S_ISREG(status.st_mode) else "is not a regular file"
        raise InvalidInput(
            f"{path} {what}", code="file-unusable", next_step="name a file with content", path=path
        )
    return status.st_size


def _inspection(call: StoreCall, file: FileToStore) -> Inspection | None:
    """Return what a file for the archive scope says of itself; of others nobody asks."""
    if file.lfn is None or call.settings.lifetime is not None:
        return None
    return _inspected(call, file.path) if scope_action(Lfn(file.lfn)) is Action.INGEST else None


def _described(call: StoreCall, file: FileToStore, inspection: Inspection | None) -> SubmittedProduct:
    settings = call.settings
    if settings.lifetime is not None:
        name = file.lfn or f"/{settings.vo}/{TEMPORARY_SCOPE}/{call.principal.name}/files/{file.path.name}"
        return describe_temporary(
            file.metadata, file_name=file.path.name, lfn=Lfn(name), now=call.parts.clock()
        )
    lfn = None if file.lfn is None else Lfn(file.lfn)
    metadata = file.metadata
    if inspection is not None:
        _refuse_contradictions(file, inspection)
        metadata = {**inspection.metadata, **flat_metadata(metadata)}
    return describe_submitted(
        metadata,
        file_name=file.path.name,
        vo=settings.vo,
        now=call.parts.clock(),
        lfn=lfn,
        pass_number=settings.pass_number,
    )


def _refuse_contradictions(file: FileToStore, inspection: Inspection) -> None:
    """Refuse metadata that say of a file what it does not say of itself; its description is free."""
    given, told = flat_metadata(file.metadata), inspection.metadata
    wrong = [key for key in given if key != "description" and key in told and given[key] != told[key]]
    if wrong:
        said = "; ".join(f"{key} is {told[key]!r}, not {given[key]!r}" for key in wrong)
        raise InvalidInput(
            f"{file.path} says otherwise of itself: {said}",
            code="metadata-contradicts",
            next_step="leave these keys out: they are read from the file",
            path=file.path,
        )


def _inspected(call: StoreCall, path: Path) -> Inspection:
    """Return what a complete reading of a file for the archive scope shows."""
    authorize(call.principal, Action.INGEST, str(path))
    inspector = next((one for one in call.parts.inspectors if one.accepts(path)), None)
    if inspector is None:
        raise InvalidInput(
            f"{path}: no inspector reads this kind of file, so it cannot enter the archive of raw data",
            code="file-kind-unknown",
            next_step="store it as a product: a name below /<vo>/dpps/, or none",
            path=path,
        )
    return inspector.inspect(path)


def _check_scope(call: StoreCall, lfn: Lfn) -> None:
    temporary = call.settings.lifetime is not None
    if lfn.vo != call.settings.vo or (lfn.scope == TEMPORARY_SCOPE) != temporary:
        if temporary:
            next_step = f"name it /{call.settings.vo}/{TEMPORARY_SCOPE}/…"
        else:
            next_step = (
                f"name it /{call.settings.vo}/{PRODUCT_SCOPE}/…; temporary files are stored with --temporary"
            )
        raise InvalidInput(
            f"{lfn} is no name for a {'temporary file' if temporary else 'file that stays'} of this system",
            code="lfn-scope",
            next_step=next_step,
            lfn=lfn,
        )
