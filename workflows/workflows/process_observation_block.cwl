cwlVersion: v1.2
class: Workflow
label: Process an observation block to DL2
doc: |
  Every stream of every telescope and chunk is calibrated by itself, with the
  camera calibration of its telescope; the telescopes and chunks are joined, and
  the showers reconstructed from all of them.
requirements:
  ScatterFeatureRequirement: {}
inputs:
  streams:
    type: File[]
    doc: Event streams, one for each telescope and chunk (`TEL001_...`).
  camera_calibration_files:
    type: File[]?
    doc: Camera calibration coefficients, one file for each telescope (`TEL001_...`).
  processing_config:
    type: File?
    doc: Configuration of ctapipe (YAML, TOML, JSON), for all steps.
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
    outputSource: join/dl1
  dl2:
    type: File
    outputSource: stereo/dl2
  stream_provenance_logs:
    type: File[]
    outputSource: calibrate/provenance_log
  join_provenance_log:
    type: File
    outputSource: join/provenance_log
  dl2_provenance_log:
    type: File
    outputSource: stereo/provenance_log
steps:
  names:
    run: internal/output_names.cwl
    scatter: input_file
    in:
      input_file: streams
    out: [output_filename, log_filename, provenance_log_filename]
  calibrations:
    run: internal/calibration_of_streams.cwl
    in:
      streams: streams
      calibrations: camera_calibration_files
    out: [paired]
  calibrate:
    run: ../tools/process_dl0_dl1.cwl
    scatter: [dl0, camera_calibration_file, dl1_filename, provenance_log_filename]
    scatterMethod: dotproduct
    in:
      processing_config: processing_config
      dl0: streams
      camera_calibration_file: calibrations/paired
      dl1_filename: names/output_filename
      provenance_log_filename: names/provenance_log_filename
    out: [dl1, provenance_log]
  join:
    run: ../tools/join_telescopes.cwl
    in:
      input_files: calibrate/dl1
      output_filename: dl1_filename
    out: [dl1, provenance_log]
  stereo:
    run: ../tools/process_dl1_dl2.cwl
    in:
      processing_config: processing_config
      dl1: join/dl1
      dl2_filename: dl2_filename
    out: [dl2, provenance_log]
