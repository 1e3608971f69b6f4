"""Toy events, processed by the stock tool with the reference configuration; synthetic simulations."""

import warnings
from dataclasses import dataclass
from pathlib import Path

import pytest
from dpps_datapipe.array_description import array_description
from dpps_simpipe.toy.handover import HandOver, make_hand_over

REPOSITORY = Path(__file__).parents[3]
CONFIGURATION = REPOSITORY / "workflows" / "configurations" / "process_events.yaml"
N_EVENTS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Processed:
    """A toy observation and its products."""

    hand_over: HandOver
    dl1: Path
    dl2: Path


def process(*arguments: str) -> int:
    """Run ``ctapipe-process`` in this process; give its exit code."""
    from ctapipe.core import run_tool
    from ctapipe.tools.process import ProcessorTool

    with array_description():
        return run_tool(ProcessorTool(), ["--config", str(CONFIGURATION), *arguments], raises=False)


def stage_as_acquired(hand_over: HandOver, folder: Path) -> Path:
    """Lay the streams out where the subarray reader looks; give the subarray stream."""
    subarray = hand_over.files[0]
    for path in (subarray, *hand_over.files[2:]):
        is_array = path is subarray
        element = "ARRAY" if is_array else f"LSTN-{path.name[4:6]}"
        kind = "triggers" if is_array else "events"
        target = folder / "DL0" / element / "acada" / "acada-adh" / kind / "0/0/0" / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(path)
    return folder / "DL0/ARRAY/acada/acada-adh/triggers/0/0/0" / subarray.name


@pytest.fixture(scope="session")
def processed(tmp_path_factory: pytest.TempPathFactory) -> Processed:
    """Four toy events of four LSTs, up to DL2."""
    folder = tmp_path_factory.mktemp("processed")
    hand_over = make_hand_over(folder / "acada", n_events=N_EVENTS, seed=11)
    staged = stage_as_acquired(hand_over, folder / "staged")
    dl1, dl2 = folder / "events.dl1.h5", folder / "events.dl2.h5"
    log = f"--provenance-log={folder / 'provenance.log'}"
    assert (
        process("--input", str(staged), "--output", str(dl1), "--write-images", "--write-parameters", log)
        == 0
    )
    reading = ("--input", str(dl1), "--output", str(dl2), log)
    assert process(*reading, "--no-write-images", "--no-write-parameters", "--write-showers") == 0
    return Processed(hand_over=hand_over, dl1=dl1, dl2=dl2)


def step(*arguments: str) -> int:
    """Run ``dpps-datapipe`` in this process; warnings of the libraries are no failures here."""
    from dpps_datapipe.command import main

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return main(list(arguments))


@dataclass(frozen=True, slots=True, kw_only=True)
class Synthetic:
    """Files of ``dpps_datapipe.testing`` and a response made of them."""

    folder: Path
    selection: Path
    response: Path
    #: An observation with models applied.
    observation: Path
    notes: Path


@pytest.fixture(scope="session")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> Synthetic:
    """Simulations, event selection, response and an observation."""
    from dpps_datapipe.testing.__main__ import IRF_CONFIGURATION, OBSERVATION_NOTES, response_sample
    from dpps_datapipe.testing.files import write_simulation
    from dpps_datapipe.testing.observations import SyntheticObservation, write_observation
    from dpps_datapipe.testing.response import KnownResponse
    from dpps_datapipe.testing.showers import draw_events

    folder = tmp_path_factory.mktemp("synthetic")
    response = KnownResponse()
    for number, particle in enumerate(("gamma", "proton"), start=1):
        sample = response_sample(particle, number)
        write_simulation(folder / f"{particle}.h5", sample, draw_events(sample, response))
    (folder / "irf.yaml").write_text(IRF_CONFIGURATION, encoding="utf-8")
    (folder / "observation.yaml").write_text(OBSERVATION_NOTES, encoding="utf-8")
    observation = write_observation(folder / "observation.h5", SyntheticObservation(), response)
    # Compressed on purpose: earlier versions of ctapipe did not read it back.
    selection = folder / "selection.fits.gz"
    log = ("--provenance-log", str(folder / "log"))
    gammas = ("--gamma-file", str(folder / "gamma.h5"))
    optimise = (CONFIGURATION.with_name("select_percentiles.yaml"), "--output", selection)
    assert step("optimize-event-selection", "--config", *map(str, optimise), *gammas, *log) == 0
    irf = folder / "irf.fits.gz"
    configurations = (
        "--config",
        CONFIGURATION.with_name("compute_irf.yaml"),
        "--config",
        folder / "irf.yaml",
    )
    protons = ("--proton-file", folder / "proton.h5")
    files = (*configurations, *protons, "--cuts", selection, "--output", irf)
    assert step("compute-irf", *map(str, files), *gammas, *log) == 0
    return Synthetic(
        folder=folder,
        selection=selection,
        response=irf,
        observation=observation,
        notes=folder / "observation.yaml",
    )


@pytest.fixture(scope="session")
def point_like(synthetic: Synthetic) -> Path:
    """A response after the cut in direction of the selection."""
    claim = synthetic.folder / "claim.yaml"
    limits = "claimed_energy_min: 0.1 TeV, claimed_energy_max: 10 TeV, claims_background: false"
    claim.write_text(f"IrfLimits: {{{limits}}}\n")
    output = synthetic.folder / "point_like.fits"
    words = [
        *("--config", str(CONFIGURATION.with_name("compute_irf_point_like.yaml")), "--config", str(claim)),
        *("--gamma-file", str(synthetic.folder / "gamma.h5")),
        *("--proton-file", str(synthetic.folder / "proton.h5")),
        *("--cuts", str(synthetic.selection), "--output", str(output)),
        *("--event-type", "type-1", "--provenance-log", str(synthetic.folder / "log")),
    ]
    assert step("compute-irf", *words) == 0
    return output
