"""What a check of a response found: reasons with their bins."""

import math
from dataclasses import asdict, dataclass

__all__ = ["Bin", "Finding", "Limits"]

#: Bins written out in a message; all of them are in the machine-readable answer.
_BINS_IN_MESSAGE = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """One bin that is wrong, with its edges."""

    energy_min_tev: float
    energy_max_tev: float
    #: None where the response does not depend on the offset.
    offset_min_deg: float | None = None
    offset_max_deg: float | None = None
    #: What was found there, in the unit that the finding names.
    value: float | None = None

    def __str__(self) -> str:
        """Write the edges and the value."""
        text = f"{self.energy_min_tev:.3g}–{self.energy_max_tev:.3g} TeV"
        if self.offset_min_deg is not None:
            text += f" × {self.offset_min_deg:g}–{self.offset_max_deg:g} deg"
        return text if self.value is None else f"{text}: {self.value:.3g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One reason for which a response is refused, or that its reader should know."""

    #: Stable word for programs.
    check: str
    hdu: str
    message: str
    bins: tuple[Bin, ...] = ()
    #: False: worth knowing, no reason to refuse.
    refuses: bool = True

    def __str__(self) -> str:
        """Name the HDU, the reason and the first bins."""
        text = f"{self.hdu}: {self.message}"
        if self.bins:
            text += " [" + "; ".join(str(one) for one in self.bins[:_BINS_IN_MESSAGE])
            more = len(self.bins) - _BINS_IN_MESSAGE
            text += f"; and {more} more]" if more > 0 else "]"
        return text

    def as_dict(self) -> dict[str, object]:
        """Give the finding as plain data."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a response claims, and how well it must be known there."""

    #: Range of true energy that is claimed, TeV; None: what the file claims, else where it is not empty.
    energy_min_tev: float | None = None
    energy_max_tev: float | None = None
    #: Largest offset that is claimed, degrees; None: what the file claims, else all.
    offset_max_deg: float | None = None
    #: Largest relative statistical error of a bin: one over the square root of its distinct showers.
    max_relative_error: float = 0.2
    #: Largest deviation of the integral of an energy dispersion from one.
    dispersion_tolerance: float = 0.02
    #: Largest deviation of the full containment of a point spread function from one.
    containment_tolerance: float = 0.02
    #: Refuse a file that does not say how many showers its bins rest on.
    needs_statistics: bool = False
    #: Whether the background is claimed to be known; None: what the file claims, else that it is.
    claims_background: bool | None = None

    @property
    def min_showers(self) -> int:
        """Distinct showers that a bin needs."""
        return math.ceil(1.0 / self.max_relative_error**2 - 1e-9)
