cwlVersion: v1.2
class: CommandLineTool
label: Index event lists
doc: |
  Observation index and HDU index of event lists, which are copied beside them.
requirements:
  InlineJavascriptRequirement: {}
  InitialWorkDirRequirement:
    listing: |
      ${
        return inputs.dl3_files.map(function (file) {
          return {entry: file, entryname: inputs.folder + "/" + file.basename, writable: true};
        });
      }
baseCommand: [dpps-datapipe, index-dl3]
inputs:
  dl3_files:
    type: File[]
    doc: Event lists.
  folder:
    type: string
    default: dl3
    doc: Name of the folder of event lists and indices.
    inputBinding: {prefix: --folder}
  provenance_log_filename:
    type: string
    default: index_dl3.provenance.log
    doc: Name of the provenance record.
    inputBinding: {prefix: --provenance-log}
outputs:
  dl3_folder:
    type: Directory
    outputBinding: {glob: $(inputs.folder)}
  provenance_log:
    type: File
    outputBinding: {glob: $(inputs.provenance_log_filename)}
temporaryFailCodes: [100]
