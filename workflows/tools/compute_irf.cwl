cwlVersion: v1.2
class: CommandLineTool
label: Compute the instrument response
doc: |
  Run `ctapipe-compute-irf`, and refuse a response that its statistics do not bear
  (exit code 106; the bins are named): effective area above the thrown area, empty
  bins or too few distinct showers in the claimed range, dispersion not normalised,
  containment not monotone. The section `IrfLimits` of the configuration says what
  is claimed and how well it must be known.
baseCommand: [dpps-datapipe, compute-irf]
inputs:
  config:
    type: File?
    doc: Configuration of ctapipe (YAML, TOML, JSON).
    inputBinding: {prefix: --config}
  gammas:
    type: File
    doc: Simulated gammas (DL2 with models applied).
    inputBinding: {prefix: --gamma-file}
  protons:
    type: File
    doc: Simulated protons (DL2 with models applied).
    inputBinding: {prefix: --proton-file}
  electrons:
    type: File?
    doc: Simulated electrons (DL2 with models applied).
    inputBinding: {prefix: --electron-file}
  event_selection:
    type: File
    doc: Event selection (FITS, plain or gzipped).
    inputBinding: {prefix: --cuts}
  output_filename:
    type: string
    default: irf.fits.gz
    doc: Name of the response.
    inputBinding: {prefix: --output}
  output_metrics_filename:
    type: string
    default: performance_metrics.fits.gz
    doc: Name of the benchmarks.
    inputBinding: {prefix: --benchmark-output}
  event_type:
    type: string?
    doc: Name of the event type that the configuration selects; written into the headers.
    inputBinding: {prefix: --event-type}
  provenance_log_filename:
    type: string
    default: compute_irf.provenance.log
    doc: Name of the provenance record.
    inputBinding: {prefix: --provenance-log}
outputs:
  irf:
    type: File
    outputBinding: {glob: $(inputs.output_filename)}
  metrics:
    type: File
    outputBinding: {glob: $(inputs.output_metrics_filename)}
  provenance_log:
    type: File
    outputBinding: {glob: $(inputs.provenance_log_filename)}
temporaryFailCodes: [100]
