cwlVersion: v1.2
class: CommandLineTool
label: Simulate a run of showers
doc: |
  Simulate one row of a table of runs (the job grid of simtools, ECSV) on the fast
  simulator: showers, telescopes, trigger, images with their parameters and the complete
  truth.
baseCommand: [dpps-simpipe-plan, run]
inputs:
  job_grid:
    type: File
    doc: Table of runs (ECSV, job_grid_density.schema.yml).
    inputBinding: {position: 1}
  job_grid_row:
    type: int
    doc: Row of the table, from 1.
    inputBinding: {position: 2}
  seed:
    type: int
    default: 1
    doc: Seed of the production; runs differ by their number.
    inputBinding: {prefix: --seed}
  workers:
    type: int
    default: 1
    doc: Processes; the result does not depend on their number.
    inputBinding: {prefix: --workers}
  events_filename:
    type: string
    default: simulated.h5
    doc: Name of the file of events.
    inputBinding: {prefix: --output}
outputs:
  events:
    type: File
    doc: Images, their parameters and the truth (ctapipe HDF5).
    outputBinding: {glob: $(inputs.events_filename)}
  manifest:
    type: File
    doc: What the run says of itself.
    outputBinding: {glob: "*.manifest.yml"}
  provenance_log:
    type: File
    outputBinding: {glob: "*.provenance.log"}
temporaryFailCodes: [100]
