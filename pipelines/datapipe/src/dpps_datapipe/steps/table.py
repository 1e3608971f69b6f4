"""Which steps there are: the tool behind each, and the files that its command line names."""

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["PRIMARIES", "STEPS", "Step"]

#: Identifiers of primaries in ctapipe's tables (those of sim_telarray).
PRIMARIES = {"gamma": 0, "electron": 1, "proton": 101}
_OF_RESPONSE = {"--gamma-file": "gamma", "--proton-file": "proton", "--electron-file": "electron"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One ctapipe tool and what its options mean for the checks."""

    #: ``module:class`` of the tool.
    tool: str
    summary: str
    #: Options that name event files; all of them must belong to one array.
    events: tuple[str, ...] = ()
    #: Options that name trained models.
    models: tuple[str, ...] = ()
    #: Options that name other files the step reads.
    files: tuple[str, ...] = ()
    #: Options that name what the step writes.
    outputs: tuple[str, ...] = ("-o", "--output")
    #: The product holds events, and must hold some.
    writes_events: bool = False
    #: The product is a model, to which the versions of the software are added.
    writes_model: bool = False
    #: Options whose event files must be simulated.
    simulated: tuple[str, ...] = ()
    #: Options whose event files, where simulated, hold one kind of primary: a key of `PRIMARIES`.
    primaries: Mapping[str, str] = field(default_factory=dict)
    #: Options whose event files have no simulated shower of a primary: a key of `PRIMARIES`.
    excluded: Mapping[str, str] = field(default_factory=dict)
    #: Event files must be of one kind: of the same primaries, or observed.
    one_kind: bool = False
    #: Event files are given without an option.
    positional_events: bool = False
    #: Options with a value that are no concern of the checks: their values are no files of events.
    other: tuple[str, ...] = ("-c", "--config", "--provenance-log", "-l", "--log-file", "--log-level")


STEPS: dict[str, Step] = {
    "process": Step(
        tool="dpps_datapipe.processing:ObservationProcessor",
        summary="events to images, parameters and showers",
        events=("-i", "--input"),
        files=("--HDF5MonitoringSource.input_files",),
        writes_events=True,
    ),
    "merge": Step(
        tool="ctapipe.tools.merge:MergeTool",
        summary="event files into one",
        positional_events=True,
        one_kind=True,
        writes_events=True,
        other=(
            *("-i", "--input-dir", "-p", "--pattern", "-s", "--merge-strategy"),
            *("-c", "--config", "--provenance-log", "-l", "--log-file", "--log-level"),
        ),
    ),
    "train-energy-regressor": Step(
        tool="ctapipe.tools.train_energy_regressor:TrainEnergyRegressor",
        summary="model of the energy",
        events=("-i", "--input"),
        simulated=("-i", "--input"),
        outputs=("-o", "--output", "--cv-output"),
        writes_model=True,
    ),
    "train-disp-reconstructor": Step(
        tool="ctapipe.tools.train_disp_reconstructor:TrainDispReconstructor",
        summary="model of the displacement",
        events=("-i", "--input"),
        simulated=("-i", "--input"),
        outputs=("-o", "--output", "--cv-output"),
        writes_model=True,
    ),
    "train-particle-classifier": Step(
        tool="ctapipe.tools.train_particle_classifier:TrainParticleClassifier",
        summary="model of the gammaness",
        events=("--signal", "--background"),
        primaries={"--signal": "gamma"},
        excluded={"--background": "gamma"},
        outputs=("-o", "--output", "--cv-output"),
        writes_model=True,
    ),
    "apply-models": Step(
        tool="ctapipe.tools.apply_models:ApplyModels",
        summary="models to events",
        events=("-i", "--input"),
        models=("-r", "--reconstructor"),
        writes_events=True,
    ),
    "optimize-event-selection": Step(
        tool="ctapipe.tools.optimize_event_selection:EventSelectionOptimizer",
        summary="cuts in gammaness, direction and multiplicity",
        events=(*("-g", "--gamma-file", "-p", "--proton-file", "-e", "--electron-file"),),
        simulated=(*("-g", "--gamma-file", "-p", "--proton-file", "-e", "--electron-file"),),
        primaries={"-g": "gamma", "-p": "proton", "-e": "electron", **_OF_RESPONSE},
    ),
    "compute-irf": Step(
        tool="dpps_datapipe.irf.tool:CheckedIrfTool",
        summary="instrument response, refused where its statistics do not bear it",
        events=tuple(_OF_RESPONSE),
        simulated=tuple(_OF_RESPONSE),
        primaries=_OF_RESPONSE,
        files=("--cuts",),
        outputs=("--output", "--benchmark-output"),
    ),
}
