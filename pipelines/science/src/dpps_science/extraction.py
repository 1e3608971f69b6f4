"""Counts of the source and of the background in energy, with the responses folded for the region."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy import units as u
from astropy.utils.exceptions import AstropyUserWarning
from numpy.typing import NDArray
from regions import CircleSkyRegion, PointSkyRegion

from dpps.domain.steps import InsufficientStatistics
from dpps_science.observations import EventList
from dpps_science.selection import BINS_PER_DECADE, TRUE_BINS_PER_DECADE, Selection

__all__ = ["Counts", "ThetaSquared", "extract", "theta_squared"]

type Floats = NDArray[np.float64]

#: Limit of the histogram of squared distances, and its bins.
_THETA2_MAX_DEG2 = 0.2
_THETA2_BINS = 40
#: More regions of the background tell hardly more.
_MOST_REGIONS = 15
#: Regions of the background keep so much more than their radius apart.
_MARGIN = 1.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What was counted, of all observations together.

    Attributes
    ----------
    datasets : gammapy.datasets.Datasets
        One for each observation.
    on, off : int
        Events in the region of the source, and in the regions of the background.
    alpha : float
        Exposure of the source's region over that of the background's.
    significance : float
        Of the excess, in standard deviations (Li and Ma 1983, equation 17, as Gammapy has it).
    live_seconds : float
        Live time.
    """

    datasets: Any
    on: int
    off: int
    alpha: float
    significance: float
    live_seconds: float

    @property
    def excess(self) -> float:
        """Events of the source."""
        return self.on - self.alpha * self.off


@dataclass(frozen=True, slots=True, kw_only=True)
class ThetaSquared:
    """Squared distances of events from the source and from the mirrored place.

    Attributes
    ----------
    edges_deg2 : numpy.ndarray
        Edges of the bins, shape ``(n + 1,)``, square degrees.
    on, off : numpy.ndarray
        Events by bin, shape ``(n,)``.
    """

    edges_deg2: Floats
    on: Floats
    off: Floats


def _axes(selection: Selection) -> tuple[Any, Any]:
    from gammapy.maps import MapAxis

    reconstructed = MapAxis.from_energy_bounds(
        selection.energy_min_tev, selection.energy_max_tev, BINS_PER_DECADE, unit="TeV", per_decade=True
    )
    true = MapAxis.from_energy_bounds(
        selection.true_min_tev,
        selection.true_max_tev,
        TRUE_BINS_PER_DECADE,
        unit="TeV",
        per_decade=True,
        name="energy_true",
    )
    return reconstructed, true


def _empty(selection: Selection) -> Any:
    from gammapy.datasets import SpectrumDataset
    from gammapy.maps import RegionGeom

    reconstructed, true = _axes(selection)
    centre = selection.target.position
    # Gammapy takes the radius of a point from the response, event by event.
    region = (
        PointSkyRegion(centre)
        if selection.radius_varies
        else CircleSkyRegion(centre, selection.radius_deg * u.deg)
    )
    return SpectrumDataset.create(geom=RegionGeom.create(region, axes=[reconstructed]), energy_axis_true=true)


def _background_maker(one: EventList, selection: Selection) -> Any:
    """Choose who finds the background regions: at the largest radius they must not overlap."""
    from gammapy.makers import ReflectedRegionsBackgroundMaker, WobbleRegionsFinder

    if not selection.radius_varies:
        return ReflectedRegionsBackgroundMaker()
    offset = float(one.pointing.separation(selection.target.position).deg)
    # Neighbours of n regions on a circle are 2 offset sin(pi/n) apart.
    ratio = _MARGIN * selection.radius_deg / offset if offset > 0.0 else 1.0
    regions = int(np.pi / np.arcsin(ratio)) - 1 if ratio < 1.0 else 0
    if regions < 1:
        raise _no_background(one, offset)
    return ReflectedRegionsBackgroundMaker(
        region_finder=WobbleRegionsFinder(n_off_regions=min(regions, _MOST_REGIONS))
    )


def _no_background(one: EventList, offset_deg: float) -> InsufficientStatistics:
    return InsufficientStatistics(
        f"no region of the same distance from the pointing ({offset_deg:.2f} deg) is free for the background",
        "observe beside the source (wobble), or take a smaller --on-radius",
        path=one.path,
    )


def _one(one: EventList, empty: Any, selection: Selection) -> Any:
    """Count in one observation.

    Raises
    ------
    InsufficientStatistics
        There is no place for a background region.
    """
    from gammapy.makers import SpectrumDatasetMaker

    # A point-like response holds the cut in direction already.
    maker = SpectrumDatasetMaker(
        selection=["counts", "exposure", "edisp"], containment_correction=one.observation.psf is not None
    )
    dataset = maker.run(empty.copy(name=str(one.obs_id)), one.observation)
    dataset = _background_maker(one, selection).run(dataset, one.observation)
    if dataset.counts_off is None or not (dataset.acceptance_off.data > 0.0).any():
        raise _no_background(one, float(one.pointing.separation(selection.target.position).deg))
    return dataset


def extract(lists: Sequence[EventList], selection: Selection) -> Counts:
    """Count the events of the source and of reflected regions (Berge, Funk and Hinton 2007).

    Parameters
    ----------
    lists : sequence of EventList
        The observations.
    selection : Selection
        Region and energies.

    Returns
    -------
    Counts

    Raises
    ------
    InsufficientStatistics
        No background region, or no event in the region of the source.
    """
    from gammapy.datasets import Datasets

    empty = _empty(selection)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyUserWarning)
        datasets = Datasets([_one(one, empty, selection) for one in lists])
    stacked = datasets.stack_reduce(name="all").info_dict()
    counts = Counts(
        datasets=datasets,
        on=int(stacked["counts"]),
        off=int(stacked["counts_off"]),
        alpha=float(stacked["acceptance"] / stacked["acceptance_off"]),
        significance=float(stacked["sqrt_ts"]),
        live_seconds=sum(one.live_seconds for one in lists),
    )
    if counts.on == 0:
        raise InsufficientStatistics(
            f"no event is within {selection.radius_deg:.3g} deg of {selection.target.name} between "
            f"{selection.energy_min_tev:.3g} and {selection.energy_max_tev:.3g} TeV",
            "look at target, energies and event selection",
            path=lists[0].path,
        )
    return counts


def theta_squared(lists: Sequence[EventList], selection: Selection) -> ThetaSquared:
    """Count events by squared distance from the source, and from its mirror image behind the pointing.

    Parameters
    ----------
    lists : sequence of EventList
        The observations.
    selection : Selection
        Centre and energies.

    Returns
    -------
    ThetaSquared
    """
    edges = np.linspace(0.0, _THETA2_MAX_DEG2, _THETA2_BINS + 1)
    on, off = np.zeros(_THETA2_BINS), np.zeros(_THETA2_BINS)
    source = selection.target.position
    for one in lists:
        events = one.observation.events.select_energy(
            [selection.energy_min_tev, selection.energy_max_tev] * u.TeV
        )
        pointing = one.pointing
        mirror = pointing.directional_offset_by(source.position_angle(pointing), source.separation(pointing))
        on += np.histogram(events.radec.separation(source).deg ** 2, edges)[0]
        off += np.histogram(events.radec.separation(mirror).deg ** 2, edges)[0]
    return ThetaSquared(edges_deg2=edges, on=on, off=off)
