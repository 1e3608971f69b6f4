"""Reading one announced file: the part of the work that many processes share.

Everything here can be sent to another process: it needs the file, its inspectors, and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dpps.data.handover import HandedFile, Signature, check_handed, raw_lfn, signature_of
from dpps.data.ports import FileInspector
from dpps.domain.errors import DppsError, InvalidInput, Unavailable
from dpps.domain.files import FileContent
from dpps.products.received import ReceivedProduct, describe_raw, describe_simulated

__all__ = ["Reader", "Reading", "Unreadable", "changed"]

_RAW_SUFFIXES = (".fits.fz", ".fits")
_SIMULATED = ".simtel"


@dataclass(frozen=True, slots=True)
class Reading:
    """A file that is intact and says what it is."""

    handed: HandedFile
    signature: Signature
    """State of file and trigger while they were read."""
    content: FileContent
    product: ReceivedProduct


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file that cannot be taken, and why."""

    handed: HandedFile
    signature: Signature
    error: DppsError


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads announced files.

    Parameters
    ----------
    inspectors : sequence of FileInspector
        One for each kind of file.
    vo : str
        Virtual organisation.
    array_site : str or None
        Where the telescopes are, where neither path nor content tell.
    """

    inspectors: Sequence[FileInspector]
    vo: str
    array_site: str | None

    def __call__(self, handed: HandedFile) -> Reading | Unreadable:
        """Check and read one file."""
        before = signature_of(handed)
        try:
            content, product = self._read(handed)
        except DppsError as error:
            # Whatever is wrong with a file that is being written may be right when it is complete.
            wrong = changed(handed) if before != signature_of(handed) else _waiting(error)
            return Unreadable(handed, before, wrong)
        if before != signature_of(handed):
            return Unreadable(handed, before, changed(handed))
        return Reading(handed, before, content, product)

    def _read(self, handed: HandedFile) -> tuple[FileContent, ReceivedProduct]:
        check_handed(handed)
        inspector = next((one for one in self.inspectors if one.accepts(handed.path)), None)
        if inspector is None:
            raise InvalidInput(
                f"{handed.path}: no inspector reads this kind of file",
                code="file-kind-unknown",
                next_step="hand over .fits.fz or .fits streams, or .simtel, .simtel.gz, .simtel.zst files",
                path=handed.path,
            )
        # Names are checked before the file is read: a wrong one costs nothing.
        is_raw = handed.path.name.endswith(_RAW_SUFFIXES)
        lfn = raw_lfn(handed, self.vo) if is_raw else None
        inspection = inspector.inspect(handed.path)
        if lfn is not None:
            product = describe_raw(lfn, inspection.metadata, array_site=self.array_site)
        else:
            product = describe_simulated(
                inspection.metadata,
                path=handed.relative,
                vo=self.vo,
                suffix=handed.path.name[handed.path.name.index(_SIMULATED) :],
                array_site=self.array_site,
            )
        return inspection.content, product


def changed(handed: HandedFile) -> Unavailable:
    """Return the error of a file that is not as it was when its reading began."""
    return Unavailable(
        f"{handed.path} changed while it was read",
        code="handed-file-changed",
        next_step="place the trigger only when the file is complete; it is tried again",
        path=handed.path,
    )


def _waiting(error: DppsError) -> DppsError:
    """Return an error as it is, but missing permission as something that may come."""
    if error.code != "file-unreadable":
        return error
    path = error.identifiers.get("path")
    return Unavailable(error.message, code=error.code, next_step=error.next_step, path=path)
