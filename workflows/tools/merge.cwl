cwlVersion: v1.2
class: CommandLineTool
label: Merge event files
doc: Run `ctapipe-merge` on files of the same data level.
baseCommand: [dpps-datapipe, merge]
inputs:
  output_filename:
    type: string
    doc: Name of the merged file.
    inputBinding: {prefix: --output}
  config:
    type: File?
    doc: Configuration of ctapipe (YAML, TOML, JSON).
    inputBinding: {prefix: --config}
  input_files:
    type: File[]
    doc: Files to merge, in this order.
    inputBinding: {position: 1}
  provenance_log_filename:
    type: string
    default: ctapipe-merge.provenance.log
    doc: Name of the provenance record.
    inputBinding: {prefix: --provenance-log}
outputs:
  merged_output:
    type: File
    outputBinding: {glob: $(inputs.output_filename)}
  provenance_log:
    type: File
    outputBinding: {glob: $(inputs.provenance_log_filename)}
temporaryFailCodes: [100]
