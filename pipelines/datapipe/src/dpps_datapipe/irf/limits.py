"""The limits of a response as a part of a ctapipe configuration."""

from typing import Any

from astropy import units as u
from ctapipe.core import Component
from ctapipe.core.traits import AstroQuantity, Bool, Float

from dpps_datapipe.irf.findings import Limits

__all__ = ["IrfLimits"]


class IrfLimits(Component):
    """What a response claims to be valid for, and how well it must be known there."""

    claimed_energy_min = AstroQuantity(
        default_value=None,
        allow_none=True,
        physical_type=u.physical.energy,
        help="Lowest true energy that the response claims; default: that of the event selection.",
    ).tag(config=True)

    claimed_energy_max = AstroQuantity(
        default_value=None,
        allow_none=True,
        physical_type=u.physical.energy,
        help="Highest true energy that the response claims; default: that of the event selection.",
    ).tag(config=True)

    claimed_offset_max = AstroQuantity(
        default_value=None,
        allow_none=True,
        physical_type=u.physical.angle,
        help="Largest offset that the response claims; default: the edge of its bins.",
    ).tag(config=True)

    max_relative_error = Float(
        default_value=Limits().max_relative_error,
        help="Largest relative error of a bin: 1 / sqrt(distinct showers).",
    ).tag(config=True)

    claims_background = Bool(
        default_value=True,
        help=(
            "False: the response does not claim to know the background; its headers, its checks and the "
            "event lists made with it say so."
        ),
    ).tag(config=True)

    refuse = Bool(
        default_value=True,
        help="False: write the response with its shortcomings in the log; for diagnosis only.",
    ).tag(config=True)

    def of(self, selection_energy: Any) -> Limits:
        """Give the limits.

        Parameters
        ----------
        selection_energy : ctapipe.irf.ResultValidRange
            Range of energies for which the event selection is valid: the claim
            where the configuration makes none.

        Returns
        -------
        Limits
        """
        low = self.claimed_energy_min if self.claimed_energy_min is not None else selection_energy.min
        high = self.claimed_energy_max if self.claimed_energy_max is not None else selection_energy.max
        reach = self.claimed_offset_max
        return Limits(
            energy_min_tev=float(u.Quantity(low).to_value(u.TeV).squeeze()),
            energy_max_tev=float(u.Quantity(high).to_value(u.TeV).squeeze()),
            offset_max_deg=None if reach is None else float(reach.to_value(u.deg)),
            max_relative_error=self.max_relative_error,
            needs_statistics=True,
            claims_background=self.claims_background,
        )
