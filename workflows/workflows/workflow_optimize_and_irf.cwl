cwlVersion: v1.2
class: Workflow
label: Optimise the event selection and compute the response
doc: |
  The selection is optimised on one set of simulations, the response computed on
  another; a response that its statistics do not bear ends the workflow (exit
  code 106 of the step, bins named).
requirements:
  StepInputExpressionRequirement: {}
  InlineJavascriptRequirement: {}
inputs:
  optimize_config:
    type: File?
    doc: Configuration of the optimisation.
  irf_config:
    type: File?
    doc: Configuration of the response.
  gammas_optimize:
    type: File
    doc: Gammas to optimise on (DL2 with models applied).
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
  analysis_name:
    type: string
    doc: The products are named after it.
  event_type:
    type: string?
    doc: Name of the event type that the configurations select.
outputs:
  event_selection:
    type: File
    outputSource: optimize/event_selection
  irf:
    type: File
    outputSource: compute_irf/irf
  metrics:
    type: File
    outputSource: compute_irf/metrics
  optimize_provenance_log:
    type: File
    outputSource: optimize/provenance_log
  compute_irf_provenance_log:
    type: File
    outputSource: compute_irf/provenance_log
  irf_check:
    type: File
    outputSource: check_irf/report
  irf_curves:
    type: File
    outputSource: check_irf/plot
  check_irf_provenance_log:
    type: File
    outputSource: check_irf/provenance_log
steps:
  optimize:
    run: ../tools/optimize.cwl
    in:
      config: optimize_config
      gammas: gammas_optimize
      protons: protons_optimize
      electrons: electrons_optimize
      analysis_name: analysis_name
      output_filename: {valueFrom: $(inputs.analysis_name).event_selection.fits}
    out: [event_selection, provenance_log]
  compute_irf:
    run: ../tools/compute_irf.cwl
    in:
      config: irf_config
      gammas: gammas_irf
      protons: protons_irf
      electrons: electrons_irf
      event_selection: optimize/event_selection
      event_type: event_type
      analysis_name: analysis_name
      output_filename: {valueFrom: $(inputs.analysis_name).irf.fits}
      output_metrics_filename: {valueFrom: $(inputs.analysis_name).performance.fits}
    out: [irf, metrics, provenance_log]
  check_irf:
    run: ../tools/check_irf.cwl
    in:
      irf: compute_irf/irf
      analysis_name: analysis_name
      report_filename: {valueFrom: $(inputs.analysis_name).irf_check.json}
      plot_filename: {valueFrom: $(inputs.analysis_name).irf_curves.png}
    out: [report, plot, provenance_log]
