cwlVersion: v1.2
class: Workflow
label: Event selections and responses by event type
doc: |
  One event selection and one response for each event type. What an event type is
  stands in the quality criteria of its configurations (for example the
  multiplicity); the name of the type is written into the headers of the response.
requirements:
  ScatterFeatureRequirement: {}
  SubworkflowFeatureRequirement: {}
inputs:
  event_types:
    type: string[]
    doc: Names of the event types.
  optimize_configs:
    type: File[]
    doc: Configurations of the optimisation, one for each event type.
  irf_configs:
    type: File[]
    doc: Configurations of the response, one for each event type.
  gammas_optimize:
    type: File
    doc: Gammas to optimise on.
  protons_optimize:
    type: File
    doc: Protons to optimise on.
  electrons_optimize:
    type: File?
    doc: Electrons to optimise on.
  gammas_irf:
    type: File
    doc: Gammas of the response.
  protons_irf:
    type: File
    doc: Protons of the response.
  electrons_irf:
    type: File?
    doc: Electrons of the response.
outputs:
  event_selections:
    type: File[]
    outputSource: one_type/event_selection
  irfs:
    type: File[]
    outputSource: one_type/irf
  metrics:
    type: File[]
    outputSource: one_type/metrics
  irf_checks:
    type: File[]
    outputSource: one_type/irf_check
  optimize_provenance_logs:
    type: File[]
    outputSource: one_type/optimize_provenance_log
  compute_irf_provenance_logs:
    type: File[]
    outputSource: one_type/compute_irf_provenance_log
  check_irf_provenance_logs:
    type: File[]
    outputSource: one_type/check_irf_provenance_log
steps:
  one_type:
    run: workflow_optimize_and_irf.cwl
    scatter: [event_type, analysis_name, optimize_config, irf_config]
    scatterMethod: dotproduct
    in:
      event_type: event_types
      analysis_name: event_types
      optimize_config: optimize_configs
      irf_config: irf_configs
      gammas_optimize: gammas_optimize
      protons_optimize: protons_optimize
      electrons_optimize: electrons_optimize
      gammas_irf: gammas_irf
      protons_irf: protons_irf
      electrons_irf: electrons_irf
    out:
      - event_selection
      - irf
      - metrics
      - irf_check
      - optimize_provenance_log
      - compute_irf_provenance_log
      - check_irf_provenance_log
