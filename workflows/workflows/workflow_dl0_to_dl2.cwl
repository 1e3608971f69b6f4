cwlVersion: v1.2
class: Workflow
label: Process DL0 (or simulated) events to DL2
doc: |
  From events to calibrated images (DL1) and reconstructed showers (DL2). Without names of
  their own, the files are called after `dl0`: `gamma.simtel.zst` gives `gamma.dl1.h5`
  and `gamma.dl2.h5`.
requirements:
  StepInputExpressionRequirement: {}
  InlineJavascriptRequirement:
    expressionLib:
      - |
        // Name of a product: that of the file (or at the end of the URL), with another ending.
        function productName(source, level) {
          var name = typeof source === "string" ? source.split("/").pop() : source.basename;
          return name.replace(/\.simtel(\.zst|\.gz)?$|\.fits\.fz$|(\.(r0|r1|dl[^.]*))?\.h5$/, "") + "." + level + ".h5";
        }
inputs:
  processing_config:
    type: File?
    doc: Configuration of ctapipe (YAML, TOML, JSON), for both steps.
  dl0:
    type: [File, string]
    doc: The events, or the URL of the events.
  dl0_streams:
    type: File[]?
    doc: Files that are read together with `dl0`.
  camera_calibration_file:
    type: File?
    doc: Camera calibration coefficients (HDF5), applied to the events.
  dl1_filename:
    type: string?
    doc: Name of the file of DL1 events.
  dl2_filename:
    type: string?
    doc: Name of the file of DL2 events.
outputs:
  dl1:
    type: File
    outputSource: process_dl0_dl1/dl1
  dl2:
    type: File
    outputSource: process_dl1_dl2/dl2
  dl1_provenance_log:
    type: File
    outputSource: process_dl0_dl1/provenance_log
  dl2_provenance_log:
    type: File
    outputSource: process_dl1_dl2/provenance_log
steps:
  process_dl0_dl1:
    run: ../tools/process_dl0_dl1.cwl
    in:
      processing_config: processing_config
      dl0: dl0
      dl0_streams: dl0_streams
      camera_calibration_file: camera_calibration_file
      dl1_filename:
        source: dl1_filename
        valueFrom: '$(self === null ? productName(inputs.dl0, "dl1") : self)'
    out: [dl1, provenance_log]
  process_dl1_dl2:
    run: ../tools/process_dl1_dl2.cwl
    in:
      processing_config: processing_config
      dl1: process_dl0_dl1/dl1
      dl2_filename:
        source: dl2_filename
        valueFrom: '$(self === null ? productName(inputs.dl1, "dl2") : self)'
    out: [dl2, provenance_log]
