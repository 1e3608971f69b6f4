cwlVersion: v1.2
class: CommandLineTool
label: Join the telescopes of an observation block
doc: |
  One DL1 file of the array from DL1 files that hold one telescope or one chunk each.
baseCommand: [dpps-datapipe, join-telescopes]
inputs:
  input_files:
    type: File[]
    doc: DL1 files of one observation block.
    inputBinding: {position: 1}
  output_filename:
    type: string
    doc: Name of the joined file.
    inputBinding: {prefix: --output}
  provenance_log_filename:
    type: string
    default: join_telescopes.provenance.log
    doc: Name of the provenance record.
    inputBinding: {prefix: --provenance-log}
outputs:
  dl1:
    type: File
    outputBinding: {glob: $(inputs.output_filename)}
  provenance_log:
    type: File
    outputBinding: {glob: $(inputs.provenance_log_filename)}
temporaryFailCodes: [100]
