"""A production whose tasks a table lists: runs of a simulation that needs nothing but a shell."""

from __future__ import annotations

from pathlib import Path

__all__ = ["COLUMNS", "PRODUCTION", "TABLE", "listed_production"]

_MAKE = """
cwlVersion: v1.2
class: CommandLineTool
baseCommand: [sh, -c]
arguments: ['echo run $0 of $1 > "$2"', $(inputs.row), $(inputs.energy), $(inputs.events_filename)]
inputs: {row: int, energy: double, events_filename: string, label: string?}
outputs: {events: {type: File, outputBinding: {glob: $(inputs.events_filename)}}}
"""
COLUMNS = (
    "row,energy,instance__obs_id,instance__site_id,instance__facility_name,instance__particle_pdgid,"
    "instance__messenger,simulation__production_name"
)
TABLE = f"""# runs of a simulation
{COLUMNS}
1,0.5,101,CTAO-North,Simulated-CTAO,22,photon,test
2,1,102,CTAO-North,Simulated-CTAO,22,photon,test
"""
PRODUCTION = """
production: runs
transformations:
  - name: simulate
    cwl: make.cwl
    environment: core
    tasks: runs.csv
    outputs: {events: {product: SIM/Event/Subarray/AirShower}}
"""


def listed_production(folder: Path, *, table: str = TABLE, text: str = PRODUCTION) -> Path:
    """Write a production with its document and its table; return its file."""
    (folder / "make.cwl").write_text(_MAKE)
    (folder / "runs.csv").write_text(table)
    path = folder / "runs.yaml"
    path.write_text(text)
    return path
