"""Simulated showers as a ctapipe event source: the file that it reads is a run description."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ctapipe.atmosphere import AtmosphereDensityProfile
from ctapipe.containers import (
    ArrayEventContainer,
    ObservationBlockContainer,
    SchedulingBlockContainer,
    SimulatedShowerDistribution,
    SimulationConfigContainer,
)
from ctapipe.core import Provenance
from ctapipe.core.traits import Int
from ctapipe.instrument import SubarrayDescription
from ctapipe.io import DataLevel, EventSource

from dpps_simpipe.containers import (
    ShowerCounts,
    array_event,
    density_profile,
    observation_block,
    scheduling_block,
    simulation_config,
)
from dpps_simpipe.instrument import load_model, subarray_description
from dpps_simpipe.simulation.description import BLOCKS_PER_RUN, is_run_description, load_run
from dpps_simpipe.simulation.events import Simulator

__all__ = ["ShowerSimulationSource"]


class ShowerSimulationSource(EventSource):
    """Events of the fast simulator, made while they are read.

    The input is a run description (see `dpps_simpipe.simulation.description.Run`). Each block of showers
    is an observation with ``obs_id = 1000 run + block``; the showers of a block depend on the seed, the
    run and their own numbers only.
    """

    block = Int(-1, help="Block of showers to simulate, counted from 0; -1: all").tag(config=True)

    def __init__(self, input_url: Any = None, config: Any = None, parent: Any = None, **kwargs: Any) -> None:
        super().__init__(input_url=input_url, config=config, parent=parent, **kwargs)
        self.run = load_run(Path(self.input_url))
        self._simulator = Simulator(self.run)
        model = load_model(self.run.model)
        Provenance().add_input_file(
            model.folder / "model.yaml", role=f"instrument model {model.label}", add_meta=False
        )
        self._subarray = subarray_description(self._simulator.array)
        self._blocks = range(self.run.blocks) if self.block < 0 else range(self.block, self.block + 1)
        self._showers = {self._obs_id(block): self.run.block(block) for block in self._blocks}
        self._counts = {obs_id: ShowerCounts(self.run) for obs_id in self._showers}

    def _obs_id(self, block: int) -> int:
        return self.run.run * BLOCKS_PER_RUN + block

    @staticmethod
    def is_compatible(file_path: Any) -> bool:
        """Tell whether a file is a run description.

        Parameters
        ----------
        file_path : path
            File.

        Returns
        -------
        bool
            True for YAML and JSON with the keyword.
        """
        return is_run_description(Path(file_path))

    @property
    def subarray(self) -> SubarrayDescription:
        """The array."""
        return self._subarray

    @property
    def is_simulation(self) -> bool:
        """True."""
        return True

    @property
    def datalevels(self) -> tuple[DataLevel, ...]:
        """R1: wave forms in photoelectrons."""
        return (DataLevel.R1,)

    @property
    def simulation_config(self) -> dict[int, SimulationConfigContainer]:
        """Simulation parameters by observation."""
        array = self._simulator.array
        return {
            obs_id: simulation_config(self.run, array, len(showers))
            for obs_id, showers in self._showers.items()
        }

    @property
    def observation_blocks(self) -> dict[int, ObservationBlockContainer]:
        """Observation blocks by observation."""
        return {obs_id: observation_block(self.run, obs_id) for obs_id in self._showers}

    @property
    def scheduling_blocks(self) -> dict[int, SchedulingBlockContainer]:
        """Scheduling blocks by observation."""
        return {obs_id: scheduling_block(obs_id) for obs_id in self._showers}

    @property
    def atmosphere_density_profile(self) -> AtmosphereDensityProfile:
        """Density of the atmosphere of the simulation."""
        return density_profile(self._simulator.atmosphere)

    @property
    def simulated_shower_distributions(self) -> dict[int, SimulatedShowerDistribution]:
        """Showers thrown so far, by observation."""
        return {obs_id: counts.distribution(obs_id) for obs_id, counts in self._counts.items()}

    def _generator(self) -> Iterator[ArrayEventContainer]:
        """Simulate."""
        count = 0
        for obs_id, showers in self._showers.items():
            self._counts[obs_id] = ShowerCounts(self.run)
            for thrown, events in self._simulator.events(showers):
                self._counts[obs_id].add(thrown)
                for event in events:
                    yield array_event(event, self.run, self.subarray, obs_id, count)
                    count += 1
