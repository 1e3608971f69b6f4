"""The campaign from showers to the instrument response, resumable at every product."""

import json
from dataclasses import dataclass
from pathlib import Path

import yaml

from dpps.domain.errors import Conflict, NotFound
from dpps_simpipe.compare.report import write_json
from dpps_simpipe.performance.campaign import POPULATIONS, Campaign, Population
from dpps_simpipe.performance.steps import FailedStep, Steps

__all__ = ["Products", "run_chain"]

#: Parameters and showers are kept; images would fill the disk.
_LEVELS = ("--DataWriter.write_dl1_images=False", "--DataWriter.write_dl1_parameters=True")
#: Exit code of a response that its statistics do not bear.
_REFUSED = 106
#: One bin of offset: the gammas come from the centre.
_ON_AXIS = (
    "--DefaultFoVOffsetBins.fov_offset_max=1 deg",
    "--DefaultFoVOffsetBins.fov_offset_n_bins=1",
    "--IrfLimits.claimed_offset_max=1 deg",
)
#: Models are applied to these.
_MEASURED = ("gamma", "proton", "electron")


@dataclass(frozen=True, slots=True, kw_only=True)
class Products:
    """What a chain made.

    Attributes
    ----------
    events : dict of str to Path
        By population: events with energy and gammaness.
    selection : Path
        Cuts.
    response : Path or None
        Instrument response; None: refused.
    refusal : str
        Why.
    """

    events: dict[str, Path]
    selection: Path
    response: Path | None
    refusal: str


def _claim(work: Path, campaign: Campaign) -> None:
    """Make sure that kept products are of this campaign."""
    work.mkdir(parents=True, exist_ok=True)
    mark = work / "campaign.json"
    settings = campaign.settings()
    if mark.exists() and json.loads(mark.read_text(encoding="utf-8")) != json.loads(json.dumps(settings)):
        raise Conflict(
            f"{work} holds another campaign",
            code="simpipe.other-campaign",
            next_step="Choose another folder, or give the settings that campaign.json in it names.",
            path=work,
        )
    write_json(mark, settings)


def _simulate(population: Population, batch: int, campaign: Campaign, work: Path, steps: Steps) -> Path:
    """Simulate a batch and reconstruct its showers."""
    name = f"{population.name}_{batch:04d}"
    run = work / "runs" / f"{name}.yaml"
    run.parent.mkdir(parents=True, exist_ok=True)
    description = campaign.run_description(population, batch)
    run.write_text(yaml.safe_dump(description, sort_keys=False), encoding="utf-8")
    return steps.make(
        "process",
        "process_events.yaml",
        ["--input", str(run)],
        work / "events" / f"{name}.h5",
        *_LEVELS,
        "--DataWriter.write_dl2=True",
    )


def _merged(name: str, parts: list[Path], folder: Path, steps: Steps) -> Path:
    if len(parts) == 1:
        return parts[0]
    return steps.make("merge", "", [str(one) for one in parts], folder / f"{name}.merged.h5")


def _train(events: dict[str, Path], folder: Path, steps: Steps) -> tuple[Path, Path]:
    """Train energy, then gammaness on events that have an energy."""
    energy = steps.make(
        "train-energy-regressor",
        "train_energy_model.yaml",
        ["--input", str(events["gamma-diffuse"])],
        folder / "energy.pkl",
    )
    trained_on = [
        steps.make(
            "apply-models",
            "apply_models.yaml",
            ["--input", str(events[name]), "--reconstructor", str(energy)],
            folder / f"{name}.energy.h5",
        )
        for name in ("gamma-diffuse", "proton-training")
    ]
    gammaness = steps.make(
        "train-particle-classifier",
        "train_gammaness_model.yaml",
        ["--signal", str(trained_on[0]), "--background", str(trained_on[1])],
        folder / "gammaness.pkl",
    )
    return energy, gammaness


def run_chain(campaign: Campaign, work: Path, steps: Steps) -> Products:
    """Simulate, reconstruct, train, apply, select and compute the response.

    Killed at any time, the next call goes on with what is missing. Batches are kept when their number
    grows or shrinks; what is made of all of them lies in a folder for each number.

    Parameters
    ----------
    campaign : Campaign
        What to simulate.
    work : Path
        Folder of everything that is made.
    steps : Steps
        Makes the products.

    Returns
    -------
    Products
        What was made. A response that is refused is no error: the answer is kept.

    Raises
    ------
    Conflict
        The folder holds another campaign.
    NotFound
        The folder of configurations is not there.
    FailedStep
        A step failed.
    """
    if not steps.configurations.is_dir():
        raise NotFound(
            f"{steps.configurations} is no folder of configurations",
            code="simpipe.configurations-missing",
            next_step="Give the folder workflows/configurations of the sources.",
            path=steps.configurations,
        )
    _claim(work, campaign)
    batches: dict[str, list[Path]] = {one.name: [] for one in POPULATIONS}
    for batch in range(1, campaign.batches + 1):
        for population in POPULATIONS:
            batches[population.name].append(_simulate(population, batch, campaign, work, steps))
    folder = work / f"analysis_{campaign.batches:04d}"
    events = {name: _merged(name, parts, folder, steps) for name, parts in batches.items()}
    models = _train(events, folder, steps)
    names = [word for model in models for word in ("--reconstructor", str(model))]
    applied = {
        name: steps.make(
            "apply-models",
            "apply_models.yaml",
            ["--input", str(events[name]), *names],
            folder / f"{name}.dl2.h5",
        )
        for name in _MEASURED
    }
    selection = steps.make(
        "optimize-event-selection",
        "select_percentiles.yaml",
        ["--gamma-file", str(applied["gamma"])],
        folder / "selection.fits.gz",
    )
    response, refusal = _response(applied, selection, folder, steps)
    return Products(events=applied, selection=selection, response=response, refusal=refusal)


def _response(
    events: dict[str, Path], selection: Path, folder: Path, steps: Steps
) -> tuple[Path | None, str]:
    """Compute the response, or give the reason of its refusal."""
    files = [word for name in _MEASURED for word in (f"--{name}-file", str(events[name]))]
    try:
        response = steps.make(
            "compute-irf",
            "compute_irf.yaml",
            [*files, "--cuts", str(selection)],
            folder / "irf.fits.gz",
            *_ON_AXIS,
        )
    except FailedStep as failed:
        if failed.step_exit_code != _REFUSED:
            raise
        return None, failed.text
    return response, ""
