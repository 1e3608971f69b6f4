cwlVersion: v1.2
class: Workflow
label: Process DL0 (or simulated) events to DL2
doc: From events to calibrated images (DL1) and reconstructed showers (DL2).
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
  dl1_filename:
    type: string
    default: events.dl1.h5
    doc: Name of the file of DL1 events.
  dl2_filename:
    type: string
    default: events.dl2.h5
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
      dl1_filename: dl1_filename
    out: [dl1, provenance_log]
  process_dl1_dl2:
    run: ../tools/process_dl1_dl2.cwl
    in:
      processing_config: processing_config
      dl1: process_dl0_dl1/dl1
      dl2_filename: dl2_filename
    out: [dl2, provenance_log]
