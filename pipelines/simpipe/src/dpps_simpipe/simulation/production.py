"""Run descriptions turned into HDF5 files by several workers, block by block, resumable."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ctapipe.core import run_tool
from ctapipe.tools.process import ProcessorTool

from dpps.domain.errors import Conflict, InvalidInput
from dpps_simpipe.atmosphere import table_checksum
from dpps_simpipe.durable import put_in_place
from dpps_simpipe.provenance import begin_record, simulation_inputs, write_record
from dpps_simpipe.resuming import claimed, sweep
from dpps_simpipe.simulation.description import BLOCKS_PER_RUN, Run, load_run
from dpps_simpipe.simulation.merging import merge_blocks
from dpps_simpipe.workers import run_jobs

__all__ = ["LEVELS", "Result", "produce"]

#: What can be written, and ctapipe's switch for it.
LEVELS = {
    "r1": "write_r1_waveforms",
    "dl1-images": "write_dl1_images",
    "dl1-parameters": "write_dl1_parameters",
    "dl2": "write_dl2",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a production gave.

    Parameters
    ----------
    output : Path
        The file.
    blocks : int
        Blocks in it.
    blocks_before : int
        Blocks that an earlier try had finished.
    showers : int
        Showers thrown.
    """

    output: Path
    blocks: int
    blocks_before: int
    showers: int


def _part_name(run: Run, block: int) -> str:
    return f"block_{run.run * BLOCKS_PER_RUN + block:09d}.h5"


def _make_block(description: Path, block: int, target: Path, levels: tuple[str, ...]) -> None:
    """Simulate one block into a file that appears when it is complete."""
    unfinished = target.with_name(f"unfinished_{target.name}")
    unfinished.unlink(missing_ok=True)
    arguments = [
        f"--input={description}",
        f"--output={unfinished}",
        f"--ShowerSimulationSource.block={block}",
        f"--provenance-log={target.with_suffix('.provenance.log')}",
        "--overwrite",
        "--log-level=WARN",
        "--SoftwareTrigger.min_telescopes=1",
    ]
    arguments += [f"--DataWriter.{switch}={level in levels}" for level, switch in LEVELS.items()]
    code = run_tool(ProcessorTool(), argv=arguments, raises=True)
    if code != 0:
        raise InvalidInput(
            f"ctapipe-process ended with {code} for block {block} of {description}",
            code="simpipe.block-failed",
            next_step="Read its messages above.",
            block=block,
        )
    put_in_place(unfinished, target)


def _fingerprint(run: Run, levels: Sequence[str]) -> str:
    content = {"run": asdict(run), "model": run.load_array().model_sha256, "levels": sorted(levels)}
    if table := table_checksum(run.atmosphere):
        content["atmosphere"] = table
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def produce(
    description: Path,
    output: Path,
    *,
    workers: int = 1,
    levels: Sequence[str] = ("dl1-images", "dl1-parameters"),
    progress: Callable[[int, int], None] | None = None,
    used: Sequence[tuple[Path, str]] = (),
) -> Result:
    """Simulate a run into one ctapipe HDF5 file.

    Killed at any time, the next call goes on with the blocks that are missing. The content does not
    depend on the number of workers. The provenance record lies beside the file (``.provenance.log``).

    Parameters
    ----------
    description : Path
        Run description.
    output : Path
        File to write.
    workers : int
        Processes.
    levels : sequence of str
        What to write, see `LEVELS`.
    progress : callable or None
        Is told the number of finished blocks and of all blocks.
    used : sequence of tuple
        Further files with their roles that the description was made from, for the record.

    Returns
    -------
    Result
        What was made.

    Raises
    ------
    Conflict
        The output exists, or its parts belong to another run or are in use.
    InvalidInput
        The description, a level or the number of workers is wrong.
    InsufficientStatistics
        No shower triggered; the blocks are kept.
    """
    description, output = description.resolve(), output.resolve()  # ctapipe's tools change folder
    run = load_run(description)
    unknown = [level for level in levels if level not in LEVELS]
    if unknown or workers < 1:
        raise InvalidInput(
            f"levels {unknown} are unknown" if unknown else f"{workers} workers are too few",
            code="simpipe.option-invalid",
            next_step=f"Levels are {', '.join(LEVELS)}; give at least one worker.",
        )
    parts = output.with_name(output.name + ".parts")
    if output.exists() and not parts.exists():
        sweep(parts)
        raise Conflict(
            f"{output} exists",
            code="simpipe.output-exists",
            next_step="Choose another output, or remove the file.",
            path=output,
        )
    described = {**asdict(run), "levels": sorted(levels), "workers": workers}
    record = begin_record("dpps-simpipe simulate", described, run.load_array())
    targets = [parts / _part_name(run, block) for block in range(run.blocks)]
    with claimed(parts, _fingerprint(run, levels), [output]):
        missing = [block for block, target in enumerate(targets) if not target.exists()]
        before = run.blocks - len(missing)
        jobs = [(description, block, targets[block], tuple(levels)) for block in missing]
        run_jobs(
            _make_block, jobs, workers, lambda done: progress(before + done, run.blocks) if progress else None
        )
        # It is there when an earlier call was killed while it tidied up.
        if not output.exists():
            merge_blocks(targets, output, run.load_array())
        inputs = simulation_inputs(description, "run description", run.model, run.atmosphere)
        write_record(
            record,
            output.with_suffix(".provenance.log"),
            used=[*inputs, *used],
            made=[(output, "simulated events")],
        )
    return Result(output=output, blocks=run.blocks, blocks_before=before, showers=run.showers)
