cwlVersion: v1.2
class: Workflow
label: Process the events of one telescope to DL2
doc: |
  The workflow of LST-1: the stream of one telescope becomes images and their
  parameters, and models that were trained on single images give energy, gammaness
  and direction.
inputs:
  processing_config:
    type: File?
    doc: Configuration of ctapipe for DL1.
  models_config:
    type: File?
    doc: Configuration of the application of the models.
  dl0:
    type: [File, string]
    doc: The events of the telescope, or their URL.
  dl0_streams:
    type: File[]?
    doc: Parallel streams and further chunks.
  camera_calibration_file:
    type: File?
    doc: Camera calibration coefficients of the telescope.
  models:
    type: File[]
    doc: Models for single images, in the order of their application.
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
    outputSource: apply_models/applied_events
  dl1_provenance_log:
    type: File
    outputSource: process_dl0_dl1/provenance_log
  dl2_provenance_log:
    type: File
    outputSource: apply_models/provenance_log
steps:
  process_dl0_dl1:
    run: ../tools/process_dl0_dl1.cwl
    in:
      processing_config: processing_config
      dl0: dl0
      dl0_streams: dl0_streams
      camera_calibration_file: camera_calibration_file
      dl1_filename: dl1_filename
    out: [dl1, provenance_log]
  apply_models:
    run: ../tools/apply_models.cwl
    in:
      config: models_config
      events: process_dl0_dl1/dl1
      models: models
      output_filename: dl2_filename
      provenance_log_filename: {default: apply_models.provenance.log}
    out: [applied_events, provenance_log]
