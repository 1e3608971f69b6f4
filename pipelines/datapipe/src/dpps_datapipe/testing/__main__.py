"""``python -m dpps_datapipe.testing FOLDER``: a set of synthetic files to run the steps on.

Written are ``gamma.train.h5`` and ``proton.train.h5`` (image parameters, no
models), ``gamma.h5`` and ``proton.h5`` (models applied, enough for a response with
``irf.yaml``), ``observation.h5`` (image parameters), ``observation.dl2.h5`` (models
applied) and ``observation.yaml``.
"""

import sys
from pathlib import Path

from dpps_datapipe.testing.files import write_simulation
from dpps_datapipe.testing.observations import SyntheticObservation, write_observation
from dpps_datapipe.testing.response import KnownResponse
from dpps_datapipe.testing.showers import Sample, draw_events

__all__ = ["IRF_CONFIGURATION", "OBSERVATION_NOTES", "response_sample", "training_sample", "write_set"]

#: Bins and claim that the synthetic simulations bear; the rest is the reference configuration.
IRF_CONFIGURATION = """\
DefaultFoVOffsetBins:
  fov_offset_max: 3 deg
  fov_offset_n_bins: 3
IrfLimits:
  claimed_energy_min: 0.06 TeV
  claimed_energy_max: 30 TeV
  claimed_offset_max: 3 deg
  # Most bins hold no synthetic proton.
  claims_background: false
"""
OBSERVATION_NOTES = """\
obs_id: 2000000077
site: CTAO-North
target: {name: Crab Nebula (synthetic), ra_deg: 83.633, dec_deg: 22.014}
pointing: {ra_deg: 83.633, dec_deg: 22.514}
start: 2026-01-15T22:00:00Z
stop: 2026-01-15T22:30:00Z
pauses:
  - {start: 2026-01-15T22:10:00Z, stop: 2026-01-15T22:12:00Z, reason: clouds}
dead_time: {fraction: 0.05}
quality: 0
rights: {rights: proprietary, public_from: 2027-01-15T00:00:00Z}
simulated_observation: true
"""


def response_sample(particle: str, obs_id: int) -> Sample:
    """Give a sample that bears a response with `IRF_CONFIGURATION`."""
    return Sample(
        particle=particle,
        n_showers=800_000,
        spectral_index=-1.5,
        energy_max_tev=120.0,
        scatter_radius_m=600.0,
        viewcone_deg=3.0,
        obs_id=obs_id,
        seed=5,
    )


def training_sample(particle: str, obs_id: int) -> Sample:
    """Give a small sample to train models on."""
    return Sample(
        particle=particle,
        n_showers=20_000 if particle == "gamma" else 200_000,
        spectral_index=-1.5,
        scatter_radius_m=600.0,
        viewcone_deg=3.0,
        obs_id=obs_id,
        seed=6,
    )


def write_set(folder: Path) -> None:
    """Write the files.

    Parameters
    ----------
    folder : pathlib.Path
        It is made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    response = KnownResponse()
    for number, particle in enumerate(("gamma", "proton"), start=1):
        sample = response_sample(particle, number)
        write_simulation(folder / f"{particle}.h5", sample, draw_events(sample, response))
        training = training_sample(particle, 10 + number)
        events = draw_events(training, response)
        write_simulation(folder / f"{particle}.train.h5", training, events, models=False, images=True)
    write_observation(folder / "observation.h5", SyntheticObservation(), response, images=True)
    write_observation(folder / "observation.dl2.h5", SyntheticObservation(), response)
    (folder / "irf.yaml").write_text(IRF_CONFIGURATION, encoding="utf-8")
    (folder / "observation.yaml").write_text(OBSERVATION_NOTES, encoding="utf-8")


if __name__ == "__main__":
    write_set(Path(sys.argv[1]))
