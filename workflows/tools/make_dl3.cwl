cwlVersion: v1.2
class: CommandLineTool
label: Make the event list of an observation
doc: |
  Events, good time intervals, pointing and the response at the observation, in one
  FITS file (GADF 0.3).
baseCommand: [dpps-datapipe, make-dl3]
inputs:
  events:
    type: File
    doc: Events of one observation block (DL2 with models applied).
    inputBinding: {prefix: --events}
  event_selection:
    type: File?
    doc: Event selection (FITS, plain or gzipped).
    inputBinding: {prefix: --cuts}
  irfs:
    type:
      type: array
      items: File
      inputBinding: {prefix: --irf}
    doc: Responses, one or the points of a grid to interpolate between.
  observation:
    type: File?
    doc: What the events do not say (YAML) - target, pointing, pauses, dead time, quality, rights.
    inputBinding: {prefix: --observation}
  output_filename:
    type: string
    default: events.dl3.fits.gz
    doc: Name of the event list.
    inputBinding: {prefix: --output}
  provenance_log_filename:
    type: string
    default: make_dl3.provenance.log
    doc: Name of the provenance record.
    inputBinding: {prefix: --provenance-log}
outputs:
  dl3:
    type: File
    outputBinding: {glob: $(inputs.output_filename)}
  provenance_log:
    type: File
    outputBinding: {glob: $(inputs.provenance_log_filename)}
temporaryFailCodes: [100]
