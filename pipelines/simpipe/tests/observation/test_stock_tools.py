"""Simulated runs with wave forms, read by the tools of ctapipe as they are."""

from pathlib import Path

import numpy as np
import pytest
from ctapipe.core import run_tool
from ctapipe.io import EventSource, TableLoader
from ctapipe.tools.process import ProcessorTool
from dpps_simpipe.simulation.production import produce

from .conftest import Write

RUN = {
    "dpps_simulation": 1,
    "run": 3,
    "seed": 11,
    "primary": "gamma",
    "showers": 6,
    "energy_min_tev": 0.15,
    "energy_max_tev": 0.4,
    "core_radius_m": 100.0,
    "array": "ctao-north-lst",
    "block_showers": 3,
}


@pytest.mark.verifies_usecase("UC-130-1.2")
def test_wave_forms_are_processed_with_complete_truth(write: Write, tmp_path: Path) -> None:
    raw = tmp_path / "run.r1.h5"
    produce(write(RUN), raw, levels=("r1",))
    with EventSource(raw, max_events=1) as source:
        (event,) = source
        assert all(one.waveform.shape == (1, 1855, 40) for one in event.r1.tel.values())
    output = tmp_path / "run.dl2.h5"
    arguments = [f"--input={raw}", f"--output={output}", "--write-showers", "--log-level=ERROR"]
    assert run_tool(ProcessorTool(), argv=arguments, cwd=tmp_path, raises=True) == 0
    with TableLoader(output) as loader:
        events = loader.read_subarray_events(dl2=True, simulated=True)
        runs = loader.read_simulation_configuration()
        thrown = loader.read_shower_distribution()
    # What compute-irf weights events with: the run header and what was thrown.
    assert runs["n_showers"].tolist() == [3, 3]
    assert np.allclose(runs["energy_range_min"].quantity.to_value("TeV"), 0.15)
    assert np.allclose(runs["max_scatter_range"].quantity.to_value("m"), 100.0)
    assert runs["spectral_index"].tolist() == [-2.0, -2.0]
    assert np.asarray(thrown["histogram"]).sum() == 6
    assert set(events["obs_id"]) == {3000, 3001}
    assert np.isfinite(events["true_energy"]).all()
    found = events["HillasReconstructor_is_valid"]
    away = events["HillasReconstructor_alt"][found] - events["true_alt"][found]
    assert found.sum() >= 3
    assert float(np.median(np.abs(away))) == pytest.approx(0.0, abs=0.3)
