"""Synthetic image parameters, with the correlations that models can learn from."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dpps_datapipe.testing.showers import SyntheticEvents

if TYPE_CHECKING:
    from ctapipe.instrument import SubarrayDescription

__all__ = ["telescope_tables"]

#: Parameters that carry nothing here, but that trainings of the reference configurations read.
_NOISE = (
    "hillas_skewness",
    "hillas_kurtosis",
    "timing_deviation",
    "leakage_intensity_width_1",
    "leakage_pixels_width_1",
    "leakage_pixels_width_2",
    "concentration_cog",
    "concentration_core",
    "peak_time_std",
    "peak_time_skewness",
    "peak_time_kurtosis",
    "intensity_max",
    "intensity_mean",
    "intensity_std",
    "intensity_skewness",
    "intensity_kurtosis",
)
_ISLANDS = ("islands", "large_islands", "medium_islands", "small_islands")


def _source_in_camera(events: SyntheticEvents, pointing: tuple[float, float]) -> Any:
    """True directions in the frame of the telescope: shape ``(2, n)``, degrees."""
    from astropy.coordinates import AltAz, SkyCoord
    from ctapipe.coordinates import TelescopeFrame

    axis = SkyCoord(alt=pointing[0], az=pointing[1], unit="deg", frame=AltAz())
    true = SkyCoord(alt=events.true_altitude, az=events.true_azimuth, unit="deg", frame=AltAz())
    seen = true.transform_to(TelescopeFrame(telescope_pointing=axis))
    return np.array([seen.fov_lon.deg, seen.fov_lat.deg])


def _parameters(
    source: Any, energy: Any, distance: Any, like_gamma: Any, random: np.random.Generator
) -> dict[str, Any]:
    """Draw the parameters of one telescope's images."""
    from astropy import units as u

    number = len(energy)
    angle = random.uniform(-np.pi, np.pi, number)
    displacement = 0.004 * distance + 0.1
    centre = source - displacement * np.array([np.cos(angle), np.sin(angle)])
    # The axis of an image has no head: half of them point away from the source.
    flipped = random.random(number) < 0.5
    width = np.where(like_gamma, 0.06, 0.11) * random.lognormal(0.0, 0.2, number)
    values: dict[str, Any] = {
        "hillas_intensity": 900.0
        * energy**0.95
        * np.exp(-distance / 150.0)
        * random.lognormal(0.0, 0.15, number)
        + 60.0,
        "hillas_fov_lon": centre[0] * u.deg,
        "hillas_fov_lat": centre[1] * u.deg,
        "hillas_r": np.hypot(*centre) * u.deg,
        "hillas_phi": np.degrees(np.arctan2(centre[1], centre[0])) * u.deg,
        "hillas_psi": (np.degrees(angle) + 180.0 * flipped) * u.deg,
        "hillas_width": width * u.deg,
        "hillas_length": width * random.uniform(1.5, 3.0, number) * u.deg,
        "timing_slope": displacement * 5.0 / u.deg,
        "leakage_intensity_width_2": random.uniform(0.0, 0.2, number),
        "morphology_n_pixels": random.integers(5, 60, number),
        **{f"morphology_n_{kind}": random.integers(1, 3, number) for kind in _ISLANDS},
    }
    noise = {name: random.normal(1.0, 0.1, number) for name in _NOISE}
    noise["hillas_skewness"] += np.where(flipped, -1.0, 1.0)
    return values | noise


def telescope_tables(
    subarray: "SubarrayDescription",
    events: SyntheticEvents,
    index: dict[str, Any],
    masks: Any,
    times: Any,
    pointing: tuple[float, float],
    *,
    like_gamma: NDArray[np.bool_],
    seed: int,
    simulated: bool,
) -> dict[str, Any]:
    """Make the tables of the telescopes.

    Parameters
    ----------
    subarray : ctapipe.instrument.SubarrayDescription
        The telescopes.
    events : SyntheticEvents
        The events.
    index : dict of str to numpy.ndarray
        Identifiers of the events.
    masks : numpy.ndarray
        Who saw which event, shape ``(n, n_telescopes)``.
    times : astropy.time.Time
        Of the events.
    pointing : tuple of float
        Altitude and azimuth in degrees.
    like_gamma : numpy.ndarray
        Whose images are narrow, shape ``(n,)``.
    seed : int
        Of the parameters.
    simulated : bool
        With true impact distances.

    Returns
    -------
    dict of str to astropy.table.QTable
        By node of the file.
    """
    from astropy import units as u
    from astropy.table import QTable, vstack

    random = np.random.default_rng([seed, 1])
    source = _source_in_camera(events, pointing)
    tables: dict[str, Any] = {}
    triggers = []
    for position, tel_id in enumerate(subarray.tel):
        seen = masks[:, position]
        place = subarray.positions[tel_id].to_value(u.m)
        distance = np.hypot(events.core_x - place[0], events.core_y - place[1])[seen]
        keys = {name: values[seen] for name, values in index.items()}
        keys["tel_id"] = np.full(int(seen.sum()), tel_id, dtype=np.int16)
        images = _parameters(source[:, seen], events.true_energy[seen], distance, like_gamma[seen], random)
        tables[f"/dl1/event/telescope/parameters/tel_{tel_id:03d}"] = QTable({**keys, **images})
        if simulated:
            tables[f"/simulation/event/telescope/impact/tel_{tel_id:03d}"] = QTable(
                {**keys, "true_impact_distance": distance * u.m}
            )
        tables[f"/dl2/event/telescope/impact/HillasReconstructor/tel_{tel_id:03d}"] = QTable(
            {
                **keys,
                "HillasReconstructor_tel_impact_distance": distance
                * random.lognormal(0.0, 0.1, len(distance))
                * u.m,
            }
        )
        tables[f"/configuration/telescope/pointing/tel_{tel_id:03d}"] = QTable(
            {
                "obs_id": keys["obs_id"][:1],
                "tel_id": np.array([tel_id], dtype=np.int16),
                "telescope_pointing_azimuth": [pointing[1]] * u.deg,
                "telescope_pointing_altitude": [pointing[0]] * u.deg,
            }
        )
        triggers.append(
            QTable({**keys, "time": times[seen], "n_trigger_pixels": np.full(int(seen.sum()), 9)})
        )
    merged = vstack(triggers)
    merged.sort(["event_id", "tel_id"])
    tables["/dl1/event/telescope/trigger"] = merged
    return tables
