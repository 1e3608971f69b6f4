"""The blocks of a run become one file."""

from collections.abc import Sequence
from pathlib import Path

import tables
from ctapipe.core import run_tool
from ctapipe.io.metadata import write_to_hdf5
from ctapipe.tools.merge import MergeTool

from dpps.domain.steps import InsufficientStatistics
from dpps_simpipe.durable import put_in_place
from dpps_simpipe.instrument.model import Array

__all__ = ["merge_blocks"]

_EVENTS = "/dl1/event/subarray/trigger"
#: What a block without events has: ctapipe merges files with events only, but its showers were thrown.
_WITHOUT_EVENTS = (
    "/configuration/observation/observation_block",
    "/configuration/observation/scheduling_block",
    "/configuration/simulation/run",
    "/simulation/service/shower_distribution",
)


def _has_events(part: Path) -> bool:
    with tables.open_file(part) as file:
        return _EVENTS in file.root and len(file.get_node(_EVENTS)) > 0


def _append(part: Path, file: tables.File) -> None:
    """Add what a block without events has to a file."""
    with tables.open_file(part) as block:
        for node in _WITHOUT_EVENTS:
            file.get_node(node).append(block.get_node(node).read())


def merge_blocks(parts: Sequence[Path], output: Path, array: Array) -> None:
    """Put blocks into one file that says what it describes, and appears when it is complete.

    Parameters
    ----------
    parts : sequence of Path
        Files of the blocks, in their order.
    output : Path
        File to write.
    array : Array
        The array that was simulated.

    Raises
    ------
    InsufficientStatistics
        No block has an event.
    """
    with_events = [part for part in parts if _has_events(part)]
    if not with_events:
        raise InsufficientStatistics(
            "no shower triggered the array",
            "throw more showers, or nearer to the array, or at higher energies",
            path=output,
        )
    unfinished = output.with_name(f"unfinished_{output.name}")
    arguments = [*map(str, with_events), f"--output={unfinished}", "--overwrite", "--log-level=WARN"]
    arguments.append(f"--provenance-log={parts[0].with_name('merge.provenance.log')}")
    run_tool(MergeTool(), argv=arguments, raises=True)
    instrument = {
        "CTA INSTRUMENT SITE": array.site,
        "CTA INSTRUMENT CLASS": "Subarray",
        "CTA INSTRUMENT SUBTYPE": array.name,
        "CTA INSTRUMENT VERSION": array.version,
        "CTA INSTRUMENT ID": array.model_sha256,
    }
    with tables.open_file(unfinished, "a") as file:
        for part in parts:
            if part not in with_events:
                _append(part, file)
        write_to_hdf5(instrument, file)
    put_in_place(unfinished, output)
