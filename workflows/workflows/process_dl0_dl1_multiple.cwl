cwlVersion: v1.2
class: Workflow
label: Process many files of events to DL1 and merge them
doc: One step for each file, then one DL1 file of all.
requirements:
  ScatterFeatureRequirement: {}
inputs:
  input_files:
    type: File[]
    doc: Event files that ctapipe reads, of one array.
  output_filename:
    type: string
    doc: Name of the merged file.
  processing_config:
    type: File?
    doc: Configuration of ctapipe (YAML, TOML, JSON).
outputs:
  merged_output:
    type: File
    outputSource: merge/merged_output
  merge_provenance_log:
    type: File
    outputSource: merge/provenance_log
  intermediate_provenance_log:
    type: File[]
    outputSource: process/provenance_log
steps:
  names:
    run: internal/output_names.cwl
    scatter: input_file
    in:
      input_file: input_files
    out: [output_filename, log_filename, provenance_log_filename]
  process:
    run: ../tools/process_dl0_dl1.cwl
    scatter: [dl0, dl1_filename, provenance_log_filename]
    scatterMethod: dotproduct
    in:
      processing_config: processing_config
      dl0: input_files
      dl1_filename: names/output_filename
      provenance_log_filename: names/provenance_log_filename
    out: [dl1, provenance_log]
  merge:
    run: ../tools/merge.cwl
    in:
      input_files: process/dl1
      output_filename: output_filename
    out: [merged_output, provenance_log]
