cwlVersion: v1.2
class: CommandLineTool
label: Train the model of the displacement
doc: |
  Run `ctapipe-train-disp-reconstructor` on simulated events. Checked: the files are whole and of one
  array, and there are events left after the selection.
  The versions of ctapipe and scikit-learn are kept in the model.
baseCommand: [dpps-datapipe, train-disp-reconstructor]
inputs:
  config:
    type: File
    doc: Configuration of ctapipe (YAML, TOML, JSON).
    inputBinding: {prefix: --config}
  gamma_events:
    type: File
    doc: Simulated gammas (DL2 with image parameters).
    inputBinding: {prefix: --input}
  output_filename:
    type: string
    default: disp_reco_model.pkl
    doc: Name of the model.
    inputBinding: {prefix: --output}
  cv_output_filename:
    type: string?
    default: disp_cross_validation.h5
    doc: Name of the table of the cross-validation.
    inputBinding: {prefix: --cv-output}
  provenance_log_filename:
    type: string
    default: train_disp_model.provenance.log
    doc: Name of the provenance record.
    inputBinding: {prefix: --provenance-log}
outputs:
  reco_model:
    type: File
    outputBinding: {glob: $(inputs.output_filename)}
  cross_validation:
    type: File?
    outputBinding: {glob: $(inputs.cv_output_filename)}
  provenance_log:
    type: File
    outputBinding: {glob: $(inputs.provenance_log_filename)}
temporaryFailCodes: [100]
