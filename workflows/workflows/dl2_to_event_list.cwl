cwlVersion: v1.2
class: Workflow
label: Energy, gammaness and event list of an observation
doc: |
  `workflow_dl2_to_dl3.cwl` for one response and the two models of energy and
  gammaness, each an input of its own.
requirements:
  SubworkflowFeatureRequirement: {}
  MultipleInputFeatureRequirement: {}
inputs:
  events:
    type: File
    doc: Reconstructed showers with image parameters (DL2) of one observation block.
  energy_model:
    type: File
    doc: Model of the energy.
  gammaness_model:
    type: File
    doc: Model of the gammaness, which was trained with that energy.
  models_config:
    type: File?
    doc: Configuration of the application of the models.
  event_selection:
    type: File
    doc: Event selection (FITS).
  irf:
    type: File
    doc: Response.
  observation:
    type: File?
    doc: Target, pointing, pauses, dead time, quality and rights (YAML).
outputs:
  dl2:
    type: File
    outputSource: event_list/dl2
  dl3:
    type: File
    outputSource: event_list/dl3
  models_provenance_log:
    type: File
    outputSource: event_list/models_provenance_log
  dl3_provenance_log:
    type: File
    outputSource: event_list/dl3_provenance_log
steps:
  event_list:
    run: workflow_dl2_to_dl3.cwl
    in:
      events: events
      models: {source: [energy_model, gammaness_model], linkMerge: merge_flattened}
      models_config: models_config
      event_selection: event_selection
      irfs: {source: [irf], linkMerge: merge_flattened}
      observation: observation
    out: [dl2, dl3, models_provenance_log, dl3_provenance_log]
