cwlVersion: v1.2
class: CommandLineTool
label: Apply models to events
doc: |
  Run `ctapipe-apply-models`. Checked: the models were trained on this array, with
  the software that is installed, and the product holds events.
baseCommand: [dpps-datapipe, apply-models]
inputs:
  config:
    type: File?
    doc: Configuration of ctapipe (YAML, TOML, JSON).
    inputBinding: {prefix: --config}
  events:
    type: File
    doc: Events (DL1 parameters or DL2).
    inputBinding: {prefix: --input}
  models:
    type:
      type: array
      items: File
      inputBinding: {prefix: --reconstructor}
    doc: Trained models, in the order of their application.
  output_filename:
    type: string
    doc: Name of the events with models applied.
    inputBinding: {prefix: --output}
  provenance_log_filename:
    type: string
    # As published.
    default: compute_irf.provenance.log
    doc: Name of the provenance record.
    inputBinding: {prefix: --provenance-log}
outputs:
  applied_events:
    type: File
    outputBinding: {glob: $(inputs.output_filename)}
  provenance_log:
    type: File
    outputBinding: {glob: $(inputs.provenance_log_filename)}
temporaryFailCodes: [100]
