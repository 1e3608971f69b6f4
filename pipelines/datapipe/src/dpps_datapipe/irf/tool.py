"""``ctapipe-compute-irf``, which refuses a response that its simulations cannot bear."""

from pathlib import Path
from typing import ClassVar

import numpy as np
from astropy import units as u
from astropy.io import fits
from ctapipe.core.traits import Unicode
from ctapipe.io import TableLoader
from ctapipe.tools.compute_irf import IrfTool

from dpps.domain.steps import InsufficientStatistics
from dpps_datapipe.irf.check import check_response
from dpps_datapipe.irf.claims import BACKGROUND_CLAIM, write_claim
from dpps_datapipe.irf.command import refusal
from dpps_datapipe.irf.findings import Limits
from dpps_datapipe.irf.limits import IrfLimits
from dpps_datapipe.irf.reading import responses_of
from dpps_datapipe.irf.statistics import (
    SimulatedPoint,
    background_statistics_hdu,
    count_showers,
    simulated_point,
    statistics_hdu,
)
from dpps_datapipe.origins import Origins, Place, array_hdu, selection_checksum, write_origins
from dpps_datapipe.steps.inputs import read_event_file

__all__ = ["CheckedIrfTool"]


class CheckedIrfTool(IrfTool):
    """Compute a response and refuse to write it where its statistics do not bear it.

    The stock tool, with its configuration (section ``IrfTool``), and:
    HDUs ``STATISTICS`` and ``STATISTICS BACKGROUND`` with the showers behind each bin; the point of the
    simulation (``ZEN_PNT``, ``AZ_PNT``, ``B_DEC``, ``B_INC``) and the claimed
    range (``LO_THRES``, ``HI_THRES``, ``OFFSMAX``, ``BKGCLAIM``) in the headers; what the response
    was made with (`dpps_datapipe.origins`), with the telescopes in a HDU ``ARRAY``;
    the checks of ``dpps-datapipe check-irf`` before anything is written.
    """

    name = "dpps-datapipe-compute-irf"

    event_type = Unicode(
        default_value="", help="Name of the event type that the quality criteria select; for the headers."
    ).tag(config=True)

    aliases: ClassVar = {**IrfTool.aliases, "event-type": "CheckedIrfTool.event_type"}
    classes: ClassVar = [*IrfTool.classes, IrfLimits]

    def setup(self) -> None:
        """Prepare the stock tool and the limits."""
        super().setup()
        configured = IrfLimits(parent=self)
        self.refuses = configured.refuse
        self.limits: Limits = configured.of(self.opt_result.valid_energy)

    def _point(self) -> tuple[SimulatedPoint, Place]:
        with TableLoader(self.gamma_file, parent=self) as loader:
            location = loader.subarray.reference_location.geodetic
            place = Place(
                longitude_deg=float(location.lon.deg),
                latitude_deg=float(location.lat.deg),
                height_m=float(location.height.to_value(u.m)),
            )
            return simulated_point(loader.read_simulation_configuration()), place

    def start(self) -> None:
        """Compute the response and what it rests on.

        Raises
        ------
        InsufficientStatistics
            If no gamma passes the selection.
        """
        super().start()
        selected = self.signal_events[self.signal_events["selected"]]
        if len(selected) == 0:
            raise InsufficientStatistics(
                "no gamma passes the event selection",
                path=Path(self.gamma_file),
                next_step="look at the cuts, or simulate more",
            )
        point, place = self._point()
        maker = self.effective_area_maker
        edges = maker.true_energy_bins.to_value(u.TeV), maker.fov_offset_bins.to_value(u.deg)
        for hdu in self.hdus[1:]:
            if "EFFAREA" in hdu.columns.names:
                # Where nothing was thrown ctapipe divides by zero; readers cannot interpolate that.
                hdu.data["EFFAREA"][:] = np.nan_to_num(hdu.data["EFFAREA"])
            if "RAD_MAX" in hdu.columns.names:
                # A selection for all offsets says so with infinity; readers interpolate between centres.
                hdu.data["THETA_HI"][:] = np.minimum(hdu.data["THETA_HI"], edges[1][-1])
        self.hdus.append(statistics_hdu(point, count_showers(selected, *edges), *edges))
        if self.do_background:
            self.hdus.append(self._background_statistics())
        gammas = read_event_file(Path(self.gamma_file))
        self.hdus.append(array_hdu(gammas.telescopes, place))
        self._describe(point)
        columns = self.event_loaders["gammas"].epp
        origins = Origins(
            selection=selection_checksum(Path(self.cuts_file)),
            models=gammas.models or None,
            reconstructions={
                "energy": columns.energy_reconstructor,
                "geometry": columns.geometry_reconstructor,
                "gammaness": columns.gammaness_classifier,
            },
        )
        write_origins(self.hdus[1].header, origins)

    def _background_statistics(self) -> fits.BinTableHDU:
        """Count the showers behind the background."""
        maker, events = self.background_maker, self.background_events
        edges = maker.reco_energy_bins.to_value(u.TeV), maker.fov_offset_bins.to_value(u.deg)
        counts = count_showers(events[events["selected"]], *edges, bins_of="reco")
        return background_statistics_hdu(counts, *edges)

    def _describe(self, point: SimulatedPoint) -> None:
        """Write the point and the claim into the headers."""
        for hdu in self.hdus[1:]:
            hdu.header["ZEN_PNT"] = (point.zenith_deg, "[deg] zenith angle of the simulation")
            hdu.header["AZ_PNT"] = (point.azimuth_deg, "[deg] azimuth of the simulation")
            hdu.header["B_DEC"] = (point.field_declination_deg, "[deg] declination of the magnetic field")
            hdu.header["B_INC"] = (point.field_inclination_deg, "[deg] inclination of the magnetic field")
            if self.event_type:
                hdu.header["EVTYPE"] = (self.event_type, "event type")
            if not self.limits.claims_background:
                hdu.header[BACKGROUND_CLAIM] = (False, "whether the background can be used")
        write_claim(self.hdus[1].header, self.limits)

    def finish(self) -> None:
        """Check the response, then write it.

        Raises
        ------
        InsufficientStatistics
            If it is refused; nothing is written.
        """
        file = responses_of(Path(self.output_path), fits.HDUList(self.hdus))
        findings = check_response(file, self.limits)
        if self.refuses and any(finding.refuses for finding in findings):
            raise refusal(file, findings)
        for finding in findings:
            self.log.warning("%s", finding)
        super().finish()
