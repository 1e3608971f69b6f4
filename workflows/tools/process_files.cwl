cwlVersion: v1.2
class: CommandLineTool
label: Process many files of events in one process
doc: |
  `ctapipe-process` on many files without starting it anew for each: one product
  and one provenance record for each file, the same that the file gets alone. A
  file that fails is named; the others are processed, then the step fails.
baseCommand: [dpps-datapipe, process-files]
arguments:
  - {prefix: --output-folder, valueFrom: products, position: 2}
  # What follows is for ctapipe-process.
  - {valueFrom: "--", position: 10}
  - {valueFrom: --ProcessorTool.force_recompute_dl1=$(inputs.recompute_parameters), position: 11}
  - {valueFrom: --DataWriter.write_dl1_images=$(inputs.write_images), position: 11}
  - {valueFrom: --DataWriter.write_dl1_parameters=$(inputs.write_parameters), position: 11}
  - {valueFrom: --DataWriter.write_dl2=$(inputs.write_showers), position: 11}
inputs:
  input_files:
    type: File[]
    doc: Event files that ctapipe reads one by one.
    inputBinding: {prefix: --files, position: 1}
  level:
    type: string
    default: dl2
    doc: Data level of the products, for their names.
    inputBinding: {prefix: --level, position: 3}
  jobs:
    type: int
    default: 1
    doc: Worker processes.
    inputBinding: {prefix: --jobs, position: 4}
  processing_config:
    type: File?
    doc: Configuration of ctapipe (YAML, TOML, JSON).
    inputBinding: {prefix: --config, position: 12}
  recompute_parameters:
    type: boolean
    default: false
    doc: Clean and parametrise images again that have parameters already.
  write_images:
    type: boolean
    default: false
    doc: Write the camera images.
  write_parameters:
    type: boolean
    default: false
    doc: Write the parameters of the camera images.
  write_showers:
    type: boolean
    default: true
    doc: Reconstruct and write the showers.
outputs:
  products:
    type: File[]
    outputBinding: {glob: products/*.h5}
  provenance_logs:
    type: File[]
    outputBinding: {glob: products/*.provenance.log}
temporaryFailCodes: [100]
