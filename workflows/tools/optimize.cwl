cwlVersion: v1.2
class: CommandLineTool
label: Optimise the event selection
doc: |
  Run `ctapipe-optimize-event-selection`. A name that ends with `.gz` is compressed.
  Checked: the files are whole, of one array and one production.
baseCommand: [dpps-datapipe, optimize-event-selection]
inputs:
  config:
    type: File?
    doc: Configuration of ctapipe (YAML, TOML, JSON).
    inputBinding: {prefix: --config}
  gammas:
    type: File
    doc: Simulated gammas (DL2 with models applied).
    inputBinding: {prefix: --gamma-file}
  protons:
    type: File
    doc: Simulated protons (DL2 with models applied).
    inputBinding: {prefix: --proton-file}
  electrons:
    type: File?
    doc: Simulated electrons (DL2 with models applied).
    inputBinding: {prefix: --electron-file}
  output_filename:
    type: string
    default: event_selection.fits
    doc: Name of the event selection.
    inputBinding: {prefix: --output}
  provenance_log_filename:
    type: string
    default: optimize_event_selection.provenance.log
    doc: Name of the provenance record.
    inputBinding: {prefix: --provenance-log}
outputs:
  event_selection:
    type: File
    outputBinding: {glob: $(inputs.output_filename)}
  provenance_log:
    type: File
    outputBinding: {glob: $(inputs.provenance_log_filename)}
temporaryFailCodes: [100]
