cwlVersion: v1.2
class: Workflow
label: Models, event list and response of an observation
doc: From reconstructed showers (DL2) of one observation block to its event list (DL3).
inputs:
  events:
    type: File
    doc: Reconstructed showers with image parameters (DL2).
  models:
    type: File[]
    doc: Trained models, in the order of their application.
  models_config:
    type: File?
    doc: Configuration of the application of the models.
  event_selection:
    type: File?
    doc: Event selection (FITS).
  irfs:
    type: File[]
    doc: Responses, one or a grid.
  observation:
    type: File?
    doc: Target, pointing, pauses, dead time, quality and rights (YAML).
  applied_filename:
    type: string
    default: events.applied.dl2.h5
    doc: Name of the events with models applied.
  dl3_filename:
    type: string
    default: events.dl3.fits.gz
    doc: Name of the event list.
outputs:
  dl2:
    type: File
    outputSource: apply_models/applied_events
  dl3:
    type: File
    outputSource: make_dl3/dl3
  models_provenance_log:
    type: File
    outputSource: apply_models/provenance_log
  dl3_provenance_log:
    type: File
    outputSource: make_dl3/provenance_log
steps:
  apply_models:
    run: ../tools/apply_models.cwl
    in:
      config: models_config
      events: events
      models: models
      output_filename: applied_filename
      provenance_log_filename: {default: apply_models.provenance.log}
    out: [applied_events, provenance_log]
  make_dl3:
    run: ../tools/make_dl3.cwl
    in:
      events: apply_models/applied_events
      event_selection: event_selection
      irfs: irfs
      observation: observation
      output_filename: dl3_filename
    out: [dl3, provenance_log]
