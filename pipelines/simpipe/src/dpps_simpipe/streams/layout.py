"""Names and folders of a hand-over, as the acquisition system gives them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dpps.domain.errors import InvalidInput
from dpps_simpipe.streams.block import StreamBlock

__all__ = ["Layout", "link_triggers"]

#: The virtual organisation, first component of every logical file name.
_ORGANISATION = "ctao"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where the files of a block go.

    Parameters
    ----------
    output : Path
        Hand-over folder.
    scope : str
        Second component of the logical file names.
    block : StreamBlock
        The block.
    """

    output: Path
    scope: str
    block: StreamBlock

    def __post_init__(self) -> None:
        """Refuse a scope that is more than a name.

        Raises
        ------
        InvalidInput
            If the scope is not one path component.
        """
        if not self.scope or Path(self.scope).name != self.scope or self.scope in {".", ".."}:
            raise InvalidInput(
                f"scope {self.scope!r} is not one path component",
                code="simpipe.scope-invalid",
                next_step="Give a name such as 'acada'.",
            )

    def _file(self, element: str, stem: str, suffix: str, chunk: int) -> Path:
        block = self.block
        name = (
            f"{stem}_{block.start:%Y%m%dT%H%M%S}_SBID{block.sb_id:019d}"
            f"_OBSID{block.obs_id:019d}_{suffix}_CHUNK{chunk:03d}.fits.fz"
        )
        root = self.output / _ORGANISATION / self.scope / "DL0" / element / block.site.lower()
        return root / "event" / f"{block.start:%Y/%m/%d}" / name

    def telescope_file(self, tel_id: int, element: str, *, kind: str = "TEL_SHOWER", chunk: int = 0) -> Path:
        """Give the file of a telescope's events.

        Parameters
        ----------
        tel_id : int
            Telescope, number of the observatory.
        element : str
            Its name (``LSTN-01``).
        kind : str
            Kind of content in the name.
        chunk : int
            Number of the file in its stream.

        Returns
        -------
        Path
            File.
        """
        return self._file(element, f"TEL{tel_id:03d}_SDH0000", kind, chunk)

    def array_file(self, kind: str) -> Path:
        """Give the file of a stream of the subarray.

        Parameters
        ----------
        kind : str
            ``SUBARRAY`` (array triggers) or ``TEL`` (triggers of telescopes).

        Returns
        -------
        Path
            File.
        """
        return self._file("ARRAY", f"SUB{self.block.subarray_id:03d}_SWAT000", kind, 0)


def link_triggers(files: Sequence[Path]) -> tuple[Path, ...]:
    """Put the trigger link, which says "this file is ready", beside each file.

    Parameters
    ----------
    files : sequence of Path
        Complete files.

    Returns
    -------
    tuple of Path
        The links; those that are there already stay.
    """
    triggers = []
    for path in files:
        trigger = path.with_name(f"{path.name}.trigger")
        if not trigger.is_symlink():
            trigger.symlink_to(path.name)
        triggers.append(trigger)
    return tuple(triggers)
