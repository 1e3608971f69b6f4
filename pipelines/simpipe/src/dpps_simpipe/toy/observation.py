"""The observation that a toy hand-over pretends to be: identity, time, pointing."""

from dataclasses import dataclass
from datetime import UTC, datetime

from dpps.domain.errors import InvalidInput

__all__ = ["LABEL", "ToyError", "ToyObservation", "observation_of_seed"]

#: Written wherever a toy product can be read.
LABEL = "toy"

#: Identifiers of blocks that are created at CTAO-North begin here.
_NORTH_IDENTIFIERS = 2_000_000_000
_MAX_SEED = 999_999_999


class ToyError(InvalidInput):
    """A toy hand-over cannot be made; the message names the thing and the next step."""

    default_code = "simpipe.toy"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToyObservation:
    """Identity, time and pointing of one toy observation block."""

    sb_id: int = _NORTH_IDENTIFIERS
    #: Identifier of the observation block.
    obs_id: int = _NORTH_IDENTIFIERS
    #: Start (aware, whole seconds).
    start: datetime = datetime(2026, 1, 15, 22, 0, 0, tzinfo=UTC)
    duration_seconds: int = 60
    #: Direction in which all telescopes point, for the whole block.
    pointing_altitude_deg: float = 70.0
    #: From north towards east.
    pointing_azimuth_deg: float = 180.0
    #: 2: the four LSTs of CTAO-North (identifiers of the observatory).
    subarray_id: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse a start without time zone.

        Raises
        ------
        ToyError
            If `start` is naive.
        """
        if self.start.tzinfo is None:
            raise ToyError(f"start {self.start} has no time zone: give an aware datetime")


def observation_of_seed(seed: int) -> ToyObservation:
    """Give the observation of a seed: other seeds, other identifiers.

    Parameters
    ----------
    seed : int
        0 to 999 999 999.

    Returns
    -------
    ToyObservation

    Raises
    ------
    ToyError
        If the seed is out of range.
    """
    if not 0 <= seed <= _MAX_SEED:
        raise ToyError(f"seed {seed} is out of range: choose one of 0 to {_MAX_SEED}")
    identifier = _NORTH_IDENTIFIERS + seed
    return ToyObservation(sb_id=identifier, obs_id=identifier, seed=seed)
