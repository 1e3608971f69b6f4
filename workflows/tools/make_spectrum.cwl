cwlVersion: v1.2
class: CommandLineTool
label: Make the spectrum of a source
doc: |
  Gammapy on event lists: events of a circular region, background of reflected
  regions, a model fitted by forward folding, flux points. Refused are event lists
  without responses, background regions or a source that is seen.
baseCommand: [dpps-science, spectrum]
arguments:
  - {prefix: --plots, valueFrom: plots}
inputs:
  dl3_files:
    type: File[]
    doc: Event lists with their responses, one for each observation.
    inputBinding: {prefix: --dl3}
  model:
    type: string
    default: power-law
    doc: Fitted model, power-law or log-parabola.
    inputBinding: {prefix: --model}
  on_radius_deg:
    type: float?
    doc: Radius of the region; without it as the response has it.
    inputBinding: {prefix: --on-radius}
  energy_min_tev:
    type: float?
    doc: Lowest energy of the fit; without it as the responses claim.
    inputBinding: {prefix: --energy-min}
  energy_max_tev:
    type: float?
    doc: Highest energy of the fit.
    inputBinding: {prefix: --energy-max}
  output_filename:
    type: string
    default: spectrum.ecsv
    doc: Name of the spectrum.
    inputBinding: {prefix: --output}
  provenance_log_filename:
    type: string
    default: make_spectrum.provenance.log
    doc: Name of the provenance record.
    inputBinding: {prefix: --provenance-log}
outputs:
  spectrum:
    type: File
    doc: Flux points, fitted model, counts (ECSV).
    outputBinding: {glob: $(inputs.output_filename)}
  theta_squared_plot:
    type: File
    outputBinding: {glob: plots/theta_squared.png}
  spectrum_plot:
    type: File
    outputBinding: {glob: plots/spectrum.png}
  provenance_log:
    type: File
    outputBinding: {glob: $(inputs.provenance_log_filename)}
temporaryFailCodes: [100]
