"""Write synthetic events in ctapipe's HDF5 layout (data model v7)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dpps_datapipe.array_description import array_description
from dpps_datapipe.testing.images import telescope_tables
from dpps_datapipe.testing.response import LABEL
from dpps_datapipe.testing.showers import Sample, SyntheticEvents

if TYPE_CHECKING:
    from astropy.table import QTable
    from ctapipe.instrument import SubarrayDescription

__all__ = ["ENERGY_MODEL", "GAMMANESS_MODEL", "Images", "array_of_lsts", "write_events", "write_simulation"]

#: Prefixes that the models of the reference configurations have.
ENERGY_MODEL = "ExtraTreesRegressor"
GAMMANESS_MODEL = "ExtraTreesClassifier"

_GEOMETRY = "HillasReconstructor"
_ALTAZ = 0
_START = datetime(2026, 1, 15, 22, 0, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """What image parameters are drawn from."""

    #: Whose images are narrow, shape ``(n,)``.
    like_gamma: Any
    seed: int


def array_of_lsts() -> "SubarrayDescription":
    """Describe the four LSTs of CTAO-North, as raw data find them."""
    from ctapipe.instrument import SubarrayDescription

    with array_description():
        return SubarrayDescription.from_service_data(2)


def _write(path: Path, tables: Mapping[str, "QTable"]) -> None:
    from ctapipe.io import write_table

    for node, table in tables.items():
        write_table(table, path, node, mode="a")


def _write_metadata(path: Path, obs_id: int, simulated: bool) -> None:
    """Write the reference metadata that readers and mergers of ctapipe need."""
    import tables
    from ctapipe.core import Provenance
    from ctapipe.io import metadata
    from ctapipe.io.datawriter import DATA_MODEL_VERSION

    provenance = Provenance()
    provenance.start_activity("synthetic-events")
    reference = metadata.Reference(
        contact=metadata.Contact(name=LABEL, email="synthetic@example.org", organization=LABEL),
        product=metadata.Product(
            description=f"{LABEL} events, drawn from formulas",
            data_category="Sim" if simulated else "Other",
            data_levels=["DL1_PARAMETERS", "DL2"],
            data_association="Subarray",
            data_model_name="ASWG",
            data_model_version=DATA_MODEL_VERSION,
            data_model_url="",
            format="hdf5",
        ),
        process=metadata.Process(
            type_="Simulation" if simulated else "Observation", subtype=LABEL, id_=str(obs_id)
        ),
        activity=metadata.Activity.from_provenance(provenance.current_activity.provenance),
        instrument=metadata.Instrument(
            site="CTAO-North", class_="Subarray", type_="LST", version=LABEL, id_=LABEL
        ),
    )
    provenance.finish_activity("synthetic-events")
    with tables.open_file(path, mode="a") as file:
        metadata.write_to_hdf5(reference.to_dict(), file)


def _index(obs_id: int, number: int) -> dict[str, Any]:
    return {
        "obs_id": np.full(number, obs_id, dtype=np.int32),
        "event_id": np.arange(1, number + 1, dtype=np.int64),
    }


def _masks(multiplicity: Any, n_telescopes: int) -> Any:
    """The first telescopes of the array saw the event: shape ``(n, n_telescopes)``."""
    return np.arange(n_telescopes)[np.newaxis, :] < np.asarray(multiplicity)[:, np.newaxis]


def _reconstructed(
    events: SyntheticEvents, index: dict[str, Any], masks: Any, models: bool
) -> dict[str, Any]:
    """Make the DL2 tables of the array."""
    from astropy import units as u
    from astropy.table import QTable

    number = len(events)
    valid = np.ones(number, dtype=bool)
    geometry = QTable(
        {
            **index,
            f"{_GEOMETRY}_alt": events.altitude * u.deg,
            f"{_GEOMETRY}_az": events.azimuth * u.deg,
            f"{_GEOMETRY}_core_x": events.core_x * u.m,
            f"{_GEOMETRY}_core_y": events.core_y * u.m,
            f"{_GEOMETRY}_h_max": np.full(number, 9000.0) * u.m,
            f"{_GEOMETRY}_average_intensity": 100.0 * events.true_energy**0.9 * 10.0,
            f"{_GEOMETRY}_is_valid": valid,
            f"{_GEOMETRY}_telescopes": masks,
        }
    )
    tables = {f"/dl2/event/subarray/geometry/{_GEOMETRY}": geometry}
    if models:
        tables[f"/dl2/event/subarray/energy/{ENERGY_MODEL}"] = QTable(
            {
                **index,
                f"{ENERGY_MODEL}_energy": events.energy * u.TeV,
                f"{ENERGY_MODEL}_is_valid": valid,
                f"{ENERGY_MODEL}_telescopes": masks,
            }
        )
        tables[f"/dl2/event/subarray/particle_type/{GAMMANESS_MODEL}"] = QTable(
            {
                **index,
                f"{GAMMANESS_MODEL}_prediction": events.gammaness,
                f"{GAMMANESS_MODEL}_is_valid": valid,
                f"{GAMMANESS_MODEL}_telescopes": masks,
            }
        )
    return tables


def _observation(obs_id: int, altitude: float, azimuth: float, start: Any, seconds: float) -> dict[str, Any]:
    """Make the tables of the observation and scheduling blocks."""
    from astropy import units as u
    from astropy.table import QTable
    from astropy.time import Time

    begin = Time([start])
    block = QTable(
        {
            "obs_id": np.array([obs_id], dtype=np.int32),
            "sb_id": np.array([obs_id], dtype=np.uint64),
            "producer_id": np.array([LABEL]),
            "state": np.array([-1]),
            "subarray_pointing_lat": [altitude] * u.deg,
            "subarray_pointing_lon": [azimuth] * u.deg,
            "subarray_pointing_frame": np.array([_ALTAZ]),
            "scheduled_duration": [seconds / 60.0] * u.min,
            "scheduled_start_time": begin,
            "actual_start_time": begin,
            "actual_duration": [seconds / 60.0] * u.min,
        }
    )
    return {"/configuration/observation/observation_block": block}


def _simulation(sample: Sample, events: SyntheticEvents, index: dict[str, Any]) -> dict[str, Any]:
    """Make the tables that only simulations have."""
    from astropy import units as u
    from astropy.table import QTable

    run = QTable(
        {
            "obs_id": np.array([sample.obs_id], dtype=np.int32),
            "run_number": np.array([sample.obs_id], dtype=np.int32),
            "energy_range_min": [sample.energy_min_tev] * u.TeV,
            "energy_range_max": [sample.energy_max_tev] * u.TeV,
            "spectral_index": np.array([sample.spectral_index]),
            "n_showers": np.array([sample.n_showers]),
            "shower_reuse": np.array([1]),
            "min_alt": [sample.pointing_altitude_deg] * u.deg,
            "max_alt": [sample.pointing_altitude_deg] * u.deg,
            "min_az": [sample.pointing_azimuth_deg] * u.deg,
            "max_az": [sample.pointing_azimuth_deg] * u.deg,
            "diffuse": np.array([sample.viewcone_deg > 0]),
            "min_viewcone_radius": [0.0] * u.deg,
            "max_viewcone_radius": [sample.viewcone_deg] * u.deg,
            "min_scatter_range": [0.0] * u.m,
            "max_scatter_range": [sample.scatter_radius_m] * u.m,
            "prod_site_B_total": [38.6] * u.uT,
            "prod_site_B_declination": [-4.8] * u.deg,
            "prod_site_B_inclination": [37.4] * u.deg,
            "prod_site_alt": [2156.0] * u.m,
        }
    )
    distribution = QTable(
        {
            "obs_id": np.array([sample.obs_id], dtype=np.int32),
            "hist_id": np.array([6]),
            "n_entries": np.array([sample.n_showers]),
        }
    )
    number = len(events)
    showers = QTable(
        {
            **index,
            "true_energy": events.true_energy * u.TeV,
            "true_alt": events.true_altitude * u.deg,
            "true_az": events.true_azimuth * u.deg,
            "true_core_x": events.core_x * u.m,
            "true_core_y": events.core_y * u.m,
            "true_shower_primary_id": np.full(number, sample.particle_id),
        }
    )
    return {
        "/configuration/simulation/run": run,
        "/simulation/service/shower_distribution": distribution,
        "/simulation/event/subarray/shower": showers,
    }


def write_events(
    path: Path,
    events: SyntheticEvents,
    *,
    obs_id: int,
    times: Any,
    pointing: tuple[float, float],
    models: bool = True,
    images: Images | None = None,
    more: Mapping[str, Any] | None = None,
) -> Path:
    """Write events as a DL2 file.

    Parameters
    ----------
    path : pathlib.Path
        New file (HDF5).
    events : SyntheticEvents
        At least one event.
    obs_id : int
        Observation block.
    times : astropy.time.Time
        Of the events, shape ``(n,)``.
    pointing : tuple of float
        Altitude and azimuth of the array in degrees.
    models : bool
        With reconstructed energy and gammaness, as after the application of models.
    images : Images or None
        With image parameters of the telescopes.
    more : mapping or None
        Further tables, by node.

    Returns
    -------
    pathlib.Path
        The file.
    """
    from astropy.table import QTable

    subarray = array_of_lsts()
    subarray.to_hdf(path, mode="w")
    index = _index(obs_id, len(events))
    masks = _masks(events.multiplicity, len(subarray))
    trigger = QTable(
        {
            **index,
            "time": times,
            "tels_with_trigger": masks,
            "event_type": np.full(len(events), 32, dtype=np.int64),
        }
    )
    seconds = float((times[-1] - times[0]).sec) if len(times) > 1 else 0.0
    tables = {
        "/dl1/event/subarray/trigger": trigger,
        **_observation(obs_id, *pointing, times[0].utc.datetime, seconds),
        **_reconstructed(events, index, masks, models),
        **(more or {}),
    }
    simulated = "/configuration/simulation/run" in tables
    if images is not None:
        tables.update(
            telescope_tables(
                subarray,
                events,
                index,
                masks,
                times,
                pointing,
                like_gamma=images.like_gamma,
                seed=images.seed,
                simulated=simulated,
            )
        )
    _write(path, tables)
    _write_metadata(path, obs_id, simulated=simulated)
    return path


def write_simulation(
    path: Path, sample: Sample, events: SyntheticEvents, *, models: bool = True, images: bool = False
) -> Path:
    """Write simulated events as a DL2 file.

    Parameters
    ----------
    path : pathlib.Path
        New file (HDF5).
    sample : Sample
        What was thrown.
    events : SyntheticEvents
        What was accepted of it.
    models : bool
        With reconstructed energy and gammaness.
    images : bool
        With image parameters of the telescopes, to train models on.

    Returns
    -------
    pathlib.Path
        The file.
    """
    from astropy.time import Time

    index = _index(sample.obs_id, len(events))
    seconds = np.arange(len(events)) * 0.01
    times = Time([_START + timedelta(seconds=float(second)) for second in seconds])
    return write_events(
        path,
        events,
        obs_id=sample.obs_id,
        times=times,
        pointing=(sample.pointing_altitude_deg, sample.pointing_azimuth_deg),
        models=models,
        images=Images(like_gamma=np.full(len(events), sample.particle != "proton"), seed=sample.seed)
        if images
        else None,
        more=_simulation(sample, events, index),
    )
