"""The steps of the Crab night without archive and workload system: response once, then a night per seed."""

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from dpps.domain.steps import ConfigurationError, MissingInput
from dpps_science.closure.steps import Commands, do_once

__all__ = ["Chain"]

#: Simulated sets: plan and row of its table of runs.
_RUNS = {
    "gammas_train": ("models", 1),
    "protons_train": ("models", 2),
    "gammas": ("response", 1),
    "protons": ("response", 2),
}
_TELESCOPE = re.compile(r"TEL(\d{3})_")
#: Where the reader of raw streams looks: below DL0, by array element.
_STAGED = "DL0/{element}/acada/acada-adh/{kind}/0000/00/00"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """The steps, with the files that describe them.

    Attributes
    ----------
    night : pathlib.Path
        Folder of the production (``night.yaml``, configurations of selection and response).
    simulations : pathlib.Path
        Folder of the tables of runs, of the models and of the response.
    configurations : pathlib.Path
        Folder of the reference configurations.
    output : pathlib.Path
        Everything goes there.
    jobs : int
        Processes of the simulations and of the processing of their events. Results do not depend on it.
    commands : Commands
        Runs programs.
    """

    night: Path
    simulations: Path
    configurations: Path
    output: Path
    jobs: int
    commands: Commands

    def check(self) -> None:
        """Look whether the described files are there.

        Raises
        ------
        MissingInput
            One is not.
        """
        named = [self.night / name for name in ("night.yaml", "selection.yaml", "irf.yaml")]
        tables = [self.simulations / f"{plan}.runs.ecsv" for plan in ("models", "response")]
        for path in (*named, *tables, self._reference("process_events")):
            if not path.is_file():
                raise MissingInput("it is not there", "correct --night or --simulations", path=path)

    def _reference(self, name: str) -> Path:
        return self.configurations / f"{name}.yaml"

    def _simulated(self, name: str) -> Path:
        plan, row = _RUNS[name]

        def work(folder: Path) -> None:
            self.commands.run(
                "dpps-simpipe-plan",
                *("run", self.simulations / f"{plan}.runs.ecsv", row, "--output", f"{name}.h5"),
                *("--workers", self.jobs),
                cwd=folder,
            )

        return do_once(self.output / "simulated" / name, work) / f"{name}.h5"

    def _processed(self) -> Path:
        files = [self._simulated(name) for name in _RUNS]

        def work(folder: Path) -> None:
            self.commands.run(
                "dpps-datapipe",
                *("process-files", "--files", *files, "--output-folder", folder, "--level", "dl2"),
                *("--jobs", self.jobs, "--"),
                *("--config", self._reference("process_events"), "--ProcessorTool.force_recompute_dl1=True"),
                *("--DataWriter.write_dl1_images=False", "--DataWriter.write_dl1_parameters=True"),
                "--DataWriter.write_dl2=True",
                cwd=folder,
            )

        return do_once(self.output / "processed", work)

    def _apply(self, folder: Path, events: Path, output: str, *models: Path) -> None:
        options = [word for model in models for word in ("--reconstructor", model)]
        self.commands.run(
            "dpps-datapipe",
            *("apply-models", "--config", self._reference("apply_models"), "--input", events),
            *(*options, "--output", output, "--provenance-log", f"{output}.provenance.log"),
            cwd=folder,
        )

    def models(self) -> Path:
        """Train the models, once; return their folder."""
        processed = self._processed()

        def work(folder: Path) -> None:
            energy = folder / "energy.pkl"
            gammas, protons = (processed / f"{name}_train.dl2.h5" for name in ("gammas", "protons"))
            self.commands.run(
                "dpps-datapipe",
                *("train-energy-regressor", "--config", self._reference("train_energy_model")),
                *("--input", gammas, "--output", energy),
                cwd=folder,
            )
            self._apply(folder, gammas, "gammas.h5", energy)
            self._apply(folder, protons, "protons.h5", energy)
            self.commands.run(
                "dpps-datapipe",
                *("train-particle-classifier", "--config", self._reference("train_gammaness_model")),
                *("--signal", "gammas.h5", "--background", "protons.h5", "--output", "gammaness.pkl"),
                cwd=folder,
            )

        return do_once(self.output / "models", work)

    def response(self) -> Path:
        """Compute event selection and response, once; return their folder."""
        models, processed = self.models(), self._processed()

        def work(folder: Path) -> None:
            for name in ("gammas", "protons"):
                events = processed / f"{name}.dl2.h5"
                self._apply(folder, events, f"{name}.h5", models / "energy.pkl", models / "gammaness.pkl")
            both = ("--gamma-file", "gammas.h5", "--proton-file", "protons.h5")
            self.commands.run(
                "dpps-datapipe",
                *("optimize-event-selection", "--config", self.night / "selection.yaml", *both),
                *("--output", "selection.fits.gz"),
                cwd=folder,
            )
            self.commands.run(
                "dpps-datapipe",
                *("compute-irf", "--config", self.night / "irf.yaml", *both),
                *("--cuts", "selection.fits.gz", "--output", "irf.fits.gz"),
                cwd=folder,
            )

        return do_once(self.output / "response", work)

    def one_night(self, seed: int) -> dict[str, Any]:
        """Observe and analyse the night of a seed, once; return its comparison with what was injected."""
        observed, response = self.observed(seed), self.response()

        def work(part: Path) -> None:
            blocks = sorted(observed.glob("OBSID*.dl2.h5"))
            lists = [self._event_list(part, block, response) for block in blocks]
            self.commands.run(
                "dpps-science",
                *("spectrum", "--dl3", *lists, "--output", "spectrum.ecsv"),
                *("--provenance-log", "spectrum.provenance.log"),
                cwd=part,
            )
            injected = observed / "night.yaml"
            self.commands.run(
                "dpps-science",
                *("compare", "spectrum.ecsv", "--injected", injected, "--output", "comparison.json"),
                cwd=part,
            )
            for path in part.glob("*.h5"):
                path.unlink()

        folder = do_once(self.output / "nights" / f"seed{seed:05d}", work)
        compared = json.loads((folder / "comparison.json").read_text(encoding="utf-8"))
        return {"seed": seed, **compared}

    def observed(self, seed: int) -> Path:
        """Observe the night of a seed and reconstruct its events, once; no response is in them.

        Returns
        -------
        pathlib.Path
            Folder of events (DL2), notes and truth.
        """

        def work(part: Path) -> None:
            description = self._description(part, seed)
            self.commands.run("dpps-simpipe", "observe", description, "--output", "raw", cwd=part)
            for block in sorted((part / "raw").rglob("SUB*_SUBARRAY_*")):
                self._reconstruct(part, block)
            # What can be made again and is large.
            shutil.rmtree(part / "raw" / "ctao")
            shutil.rmtree(part / "staged")

        return do_once(self.output / "observed" / f"seed{seed:05d}", work)

    def _description(self, part: Path, seed: int) -> Path:
        document = yaml.safe_load((self.night / "night.yaml").read_text(encoding="utf-8"))
        if not isinstance(document, dict):
            raise ConfigurationError("it describes no night", path=self.night / "night.yaml")
        path = part / "night.yaml"
        path.write_text(yaml.safe_dump({**document, "seed": seed}, sort_keys=False), encoding="utf-8")
        return path

    def _reconstruct(self, part: Path, block: Path) -> None:
        found = re.search(r"_(OBSID\d{19})_", block.name)
        if found is None:
            raise ConfigurationError("its name tells no observation block", path=block)
        name = found[1]
        self.commands.run(
            "dpps-datapipe",
            *("process", "--config", self._reference("process_events")),
            *("--input", _stage(part / "staged" / name, block), "--output", f"{name}.dl2.h5"),
            *("--provenance-log", f"{name}.dl2.provenance.log"),
            *("--DataWriter.write_dl1_images=False", "--DataWriter.write_dl1_parameters=True"),
            "--DataWriter.write_dl2=True",
            cwd=part,
        )

    def _event_list(self, part: Path, events: Path, response: Path) -> Path:
        name, models = events.name.split(".")[0], self.models()
        self._apply(part, events, f"{name}.h5", models / "energy.pkl", models / "gammaness.pkl")
        output = part / f"{name}.fits.gz"
        self.commands.run(
            "dpps-datapipe",
            *("make-dl3", "--events", f"{name}.h5", "--cuts", response / "selection.fits.gz"),
            *("--irf", response / "irf.fits.gz"),
            *("--observation", events.parent / "raw" / "observation" / f"{name}.yaml"),
            *("--output", output, "--provenance-log", f"{name}.dl3.provenance.log"),
            cwd=part,
        )
        return output


def _streams(block: Path) -> Iterator[Path]:
    """Give the streams of the telescopes of an observation block: same tree, same block."""
    top = next(parent for parent in block.parents if parent.name == "DL0")
    identifier = re.search(r"_OBSID\d{19}_", block.name)
    yield from (path for path in top.rglob("TEL*") if identifier and identifier[0] in path.name)


def _stage(folder: Path, block: Path) -> Path:
    """Lay streams out where the reader looks for those of a subarray; return its event stream."""
    driver = folder / _STAGED.format(element="ARRAY", kind="triggers") / block.name
    for path in (block, *_streams(block)):
        match = _TELESCOPE.match(path.name)
        target = driver
        if match is not None:
            element = f"LSTN-{int(match[1]):02d}"
            target = folder / _STAGED.format(element=element, kind="events") / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(path.resolve())
    return driver
