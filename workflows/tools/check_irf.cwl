cwlVersion: v1.2
class: CommandLineTool
label: Check an instrument response
doc: |
  Refuse a response that its statistics do not bear (exit code 106; the bins are
  named). Gives a report and a picture of the curves.
baseCommand: [dpps-datapipe, check-irf]
inputs:
  irf:
    type: File
    doc: Response (FITS, plain or gzipped).
    inputBinding: {position: 1}
  max_relative_error:
    type: float?
    doc: Largest relative error of a bin (default 0.2).
    inputBinding: {prefix: --max-relative-error}
  needs_statistics:
    type: boolean
    default: true
    doc: Refuse a file that does not say how many showers its bins rest on.
    inputBinding: {prefix: --needs-statistics}
  report_filename:
    type: string
    default: irf_check.json
    doc: Name of the report.
    inputBinding: {prefix: --report}
  plot_filename:
    type: string
    default: irf_curves.png
    doc: Name of the picture.
    inputBinding: {prefix: --plot}
  provenance_log_filename:
    type: string
    default: check_irf.provenance.log
    doc: Name of the provenance record.
    inputBinding: {prefix: --provenance-log}
outputs:
  report:
    type: File
    outputBinding: {glob: $(inputs.report_filename)}
  plot:
    type: File
    outputBinding: {glob: $(inputs.plot_filename)}
  provenance_log:
    type: File
    outputBinding: {glob: $(inputs.provenance_log_filename)}
temporaryFailCodes: [100]
