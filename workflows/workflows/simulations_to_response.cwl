cwlVersion: v1.2
class: Workflow
label: Simulations to models, event selection and response
doc: |
  From simulated events with camera images (DL1) to models of energy and gammaness, an
  event selection and the response. The models are trained on one set, the response is
  computed from another, which the models have never seen. All events get the image
  parameters of the same configuration, that of the observations. A response that its
  statistics do not bear ends the workflow (exit code 106 of the step, bins named).
requirements:
  StepInputExpressionRequirement: {}
  InlineJavascriptRequirement: {}
  MultipleInputFeatureRequirement: {}
inputs:
  gammas_train:
    type: File
    doc: Gammas to train on (DL1 with images).
  protons_train:
    type: File
    doc: Protons to train on.
  gammas:
    type: File
    doc: Gammas of event selection and response.
  protons:
    type: File
    doc: Protons of the response.
  electrons:
    type: File?
    doc: Electrons of event selection and response.
  processing_config:
    type: File
    doc: Configuration of the processing, that of the observations.
  energy_config:
    type: File
    doc: Configuration of the model of the energy.
  gammaness_config:
    type: File
    doc: Configuration of the model of the gammaness.
  models_config:
    type: File?
    doc: Configuration of the application of the models.
  selection_config:
    type: File
    doc: Configuration of the event selection.
  irf_config:
    type: File
    doc: Configuration of the response.
  max_relative_error:
    type: float?
    doc: Largest relative error of a bin that the check accepts, as the configuration of the response says it.
  jobs:
    type: int
    default: 1
    doc: Worker processes of the processing.
outputs:
  energy_model:
    type: File
    outputSource: train_energy/reco_model
  gammaness_model:
    type: File
    outputSource: train_gammaness/reco_model
  event_selection:
    type: File
    outputSource: select/event_selection
  irf:
    type: File
    outputSource: compute_irf/irf
  irf_check:
    type: File
    outputSource: check_irf/report
  process_provenance_logs:
    type: File[]
    outputSource: process/provenance_logs
  train_energy_provenance_log:
    type: File
    outputSource: train_energy/provenance_log
  train_gammaness_provenance_log:
    type: File
    outputSource: train_gammaness/provenance_log
  apply_models_provenance_logs:
    type: File[]
    outputSource:
      - gammas_train_energy/provenance_log
      - protons_train_energy/provenance_log
      - gammas_applied/provenance_log
      - protons_applied/provenance_log
      - electrons_applied/provenance_log
    linkMerge: merge_flattened
    pickValue: all_non_null
  optimize_provenance_log:
    type: File
    outputSource: select/provenance_log
  compute_irf_provenance_log:
    type: File
    outputSource: compute_irf/provenance_log
  check_irf_provenance_log:
    type: File
    outputSource: check_irf/provenance_log
steps:
  process:
    run: ../tools/process_files.cwl
    in:
      input_files:
        source: [gammas_train, protons_train, gammas, protons, electrons]
        linkMerge: merge_flattened
        pickValue: all_non_null
      processing_config: processing_config
      jobs: jobs
      recompute_parameters: {default: true}
      write_parameters: {default: true}
    out: [products, provenance_logs]
  gammas_train_dl2:
    run: internal/product_of.cwl
    in: {products: process/products, input_file: gammas_train}
    out: [product]
  protons_train_dl2:
    run: internal/product_of.cwl
    in: {products: process/products, input_file: protons_train}
    out: [product]
  gammas_dl2:
    run: internal/product_of.cwl
    in: {products: process/products, input_file: gammas}
    out: [product]
  protons_dl2:
    run: internal/product_of.cwl
    in: {products: process/products, input_file: protons}
    out: [product]
  electrons_dl2:
    run: internal/product_of.cwl
    when: $(inputs.input_file !== null)
    in: {products: process/products, input_file: electrons}
    out: [product]
  train_energy:
    run: ../tools/train_energy_model.cwl
    in:
      config: energy_config
      gamma_events: gammas_train_dl2/product
      output_filename: {default: energy.pkl}
    out: [reco_model, provenance_log]
  gammas_train_energy:
    run: ../tools/apply_models.cwl
    in:
      config: models_config
      events: gammas_train_dl2/product
      models: {source: [train_energy/reco_model], linkMerge: merge_flattened}
      output_filename: {default: gammas_train.energy.h5}
      provenance_log_filename: {default: gammas_train.energy.provenance.log}
    out: [applied_events, provenance_log]
  protons_train_energy:
    run: ../tools/apply_models.cwl
    in:
      config: models_config
      events: protons_train_dl2/product
      models: {source: [train_energy/reco_model], linkMerge: merge_flattened}
      output_filename: {default: protons_train.energy.h5}
      provenance_log_filename: {default: protons_train.energy.provenance.log}
    out: [applied_events, provenance_log]
  train_gammaness:
    run: ../tools/train_gammaness_model.cwl
    in:
      config: gammaness_config
      gamma_events: gammas_train_energy/applied_events
      background_events: protons_train_energy/applied_events
      output_filename: {default: gammaness.pkl}
      provenance_log_filename: {default: train_gammaness_model.provenance.log}
    out: [reco_model, provenance_log]
  gammas_applied:
    run: ../tools/apply_models.cwl
    in:
      config: models_config
      events: gammas_dl2/product
      models: {source: [train_energy/reco_model, train_gammaness/reco_model], linkMerge: merge_flattened}
      output_filename: {default: gammas.applied.h5}
      provenance_log_filename: {default: gammas.applied.provenance.log}
    out: [applied_events, provenance_log]
  protons_applied:
    run: ../tools/apply_models.cwl
    in:
      config: models_config
      events: protons_dl2/product
      models: {source: [train_energy/reco_model, train_gammaness/reco_model], linkMerge: merge_flattened}
      output_filename: {default: protons.applied.h5}
      provenance_log_filename: {default: protons.applied.provenance.log}
    out: [applied_events, provenance_log]
  electrons_applied:
    run: ../tools/apply_models.cwl
    when: $(inputs.events !== null)
    in:
      config: models_config
      events: electrons_dl2/product
      models: {source: [train_energy/reco_model, train_gammaness/reco_model], linkMerge: merge_flattened}
      output_filename: {default: electrons.applied.h5}
      provenance_log_filename: {default: electrons.applied.provenance.log}
    out: [applied_events, provenance_log]
  select:
    run: ../tools/optimize.cwl
    in:
      config: selection_config
      gammas: gammas_applied/applied_events
      protons: protons_applied/applied_events
      electrons: electrons_applied/applied_events
      output_filename: {default: event_selection.fits.gz}
    out: [event_selection, provenance_log]
  compute_irf:
    run: ../tools/compute_irf.cwl
    in:
      config: irf_config
      gammas: gammas_applied/applied_events
      protons: protons_applied/applied_events
      electrons: electrons_applied/applied_events
      event_selection: select/event_selection
    out: [irf, provenance_log]
  check_irf:
    run: ../tools/check_irf.cwl
    in:
      irf: compute_irf/irf
      max_relative_error: max_relative_error
    out: [report, provenance_log]
