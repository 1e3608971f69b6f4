cwlVersion: v1.2
class: CommandLineTool
label: Process DL1 events to DL2
doc: |
  Run `ctapipe-process` on one file of DL1 events and write the reconstructed
  showers (DL2): no camera images, and image parameters only where models are to
  be applied later.
baseCommand: [dpps-datapipe, process]
arguments:
  - --no-write-images
  - --DataWriter.write_dl1_parameters=$(inputs.write_parameters)
  - --write-showers
inputs:
  processing_config:
    type: File?
    doc: Configuration of ctapipe (YAML, TOML, JSON).
    inputBinding: {prefix: --config}
  dl1:
    type: [File, string]
    doc: The DL1 events (HDF5), or their URL.
    inputBinding: {prefix: --input}
  write_parameters:
    type: boolean
    default: false
    doc: Write the parameters of the camera images too.
  dl2_filename:
    type: string
    doc: Name of the file of DL2 events.
    inputBinding: {prefix: --output}
  provenance_log_filename:
    type: string
    default: ctapipe-process_dl1_dl2.provenance.log
    doc: Name of the provenance record.
    inputBinding: {prefix: --provenance-log}
outputs:
  dl2:
    type: File
    outputBinding: {glob: $(inputs.dl2_filename)}
  provenance_log:
    type: File
    outputBinding: {glob: $(inputs.provenance_log_filename)}
temporaryFailCodes: [100]
