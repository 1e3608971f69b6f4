cwlVersion: v1.2
class: CommandLineTool
label: Train the model of the gammaness
doc: |
  Run `ctapipe-train-particle-classifier` on simulated events. Checked: the files are whole and of one
  array, and there are events left after the selection.
  The versions of ctapipe and scikit-learn are kept in the model.
baseCommand: [dpps-datapipe, train-particle-classifier]
inputs:
  config:
    type: File
    doc: Configuration of ctapipe (YAML, TOML, JSON).
    inputBinding: {prefix: --config}
  gamma_events:
    type: File
    doc: Simulated gammas (DL2 with image parameters).
    inputBinding: {prefix: --signal}
  background_events:
    type: File
    doc: Simulated background (DL2 with image parameters).
    inputBinding: {prefix: --background}
  output_filename:
    type: string
    default: gammaness_reco_model.pkl
    doc: Name of the model.
    inputBinding: {prefix: --output}
  cv_output_filename:
    type: string?
    default: gammaness_cross_validation.h5
    doc: Name of the table of the cross-validation.
    inputBinding: {prefix: --cv-output}
  provenance_log_filename:
    type: string
    # As published.
    default: train_energy_model.provenance.log
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
