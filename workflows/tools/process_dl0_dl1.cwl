cwlVersion: v1.2
class: CommandLineTool
label: Process DL0 (or simulated) events to DL1
doc: |
  Run `ctapipe-process` on one file of events up to DL1: calibrated camera
  images and their parameters, no shower reconstruction.

  `dl0` is any event file that ctapipe reads: a simulation (sim_telarray), the
  events of one telescope, or the events of a subarray (zfits). Files that
  belong to `dl0` (parallel streams, further chunks, for a subarray the files of
  its telescopes) are given as `dl0_streams`: all are laid out as the
  telescopes' acquisition system lays them out, where ctapipe looks for them.
requirements:
  InlineJavascriptRequirement:
    expressionLib:
      - |
        // File name prefix -> name of the array element (the identifiers of
        // the observatory: 1-4 LSTN, 5-19 MSTN, 101-104 LSTS, 105-118 MSTS,
        // 119-168 SSTS).
        function elementName(basename) {
          var match = /^TEL(\d{3})_/.exec(basename);
          if (match === null) { return "ARRAY"; }
          var identifier = parseInt(match[1], 10);
          var families = [
            [1, 4, "LSTN"], [5, 19, "MSTN"],
            [101, 104, "LSTS"], [105, 118, "MSTS"], [119, 168, "SSTS"]
          ];
          for (var i = 0; i < families.length; i++) {
            var family = families[i];
            if (identifier >= family[0] && identifier <= family[1]) {
              var number = String(identifier - family[0] + 1);
              return family[2] + "-" + (number.length < 2 ? "0" + number : number);
            }
          }
          throw "unknown array element in the file name " + basename;
        }
        function chosen(given, otherwise) { return given === null ? otherwise : given; }
        function stagedName(basename) {
          var kind = /^SUB/.test(basename) ? "triggers" : "events";
          return "DL0/" + elementName(basename) + "/acada/acada-adh/" + kind
            + "/0000/00/00/" + basename;
        }
  InitialWorkDirRequirement:
    listing: |
      ${
        if (inputs.dl0_streams === null) { return []; }
        var files = [inputs.dl0].concat(inputs.dl0_streams);
        return files.map(function (file) {
          return {entry: file, entryname: stagedName(file.basename)};
        });
      }
  EnvVarRequirement:
    envDef:
      # A file that ends too early is an error, not a shorter product.
      PYTHONWARNINGS: "error:File seems to be truncated:UserWarning"
      # Empty: the description that comes with the package.
      CTAPIPE_SVC_PATH: '$(inputs.instrument_folder === null ? "" : inputs.instrument_folder.path)'
baseCommand: [dpps-datapipe, process]
arguments:
  - --no-write-showers
  # Replaces the list of the configuration: the recorded pointing is named again.
  - valueFrom: >-
      $(inputs.camera_calibration_file === null
        ? null : "--monitoring-source=RecordedPointingSource")
  - valueFrom: >-
      $(inputs.camera_calibration_file === null
        ? null : "--monitoring-source=CameraCalibrationSource")
  - valueFrom: --DataWriter.write_dl1_images=$(chosen(inputs.images, inputs.write_images))
  - valueFrom: --DataWriter.write_dl1_parameters=$(chosen(inputs.parameters, inputs.write_parameters))
inputs:
  processing_config:
    type: File?
    doc: Configuration of ctapipe (YAML, TOML, JSON).
    inputBinding: {prefix: --config}
  dl0:
    type: [File, string]
    doc: The events, or the URL of the events.
    inputBinding: {prefix: --input}
  dl0_streams:
    type: File[]?
    doc: Files that are read together with `dl0`.
  camera_calibration_file:
    type: File?
    doc: Camera calibration coefficients (HDF5), applied to the events.
    inputBinding:
      prefix: --HDF5MonitoringSource.input_files=
      separate: false
  instrument_folder:
    type: Directory?
    doc: |
      Description of the arrays (service data of ctapipe, as `dpps-simpipe service-data`
      writes them); left out, the one that comes with the program.
  write_images:
    type: boolean
    default: true
    doc: Write the camera images.
  write_parameters:
    type: boolean
    default: true
    doc: Write the parameters of the camera images.
  images:
    type: boolean?
    doc: Other name of `write_images`, used by job files of the observatory; given, it decides.
  parameters:
    type: boolean?
    doc: Other name of `write_parameters`; given, it decides.
  dl1_filename:
    type: string
    doc: Name of the file of DL1 events.
    inputBinding: {prefix: --output}
  provenance_log_filename:
    type: string
    default: ctapipe-process_dl0_dl1.provenance.log
    doc: Name of the provenance record.
    inputBinding: {prefix: --provenance-log}
outputs:
  dl1:
    type: File
    outputBinding: {glob: $(inputs.dl1_filename)}
  provenance_log:
    type: File
    outputBinding: {glob: $(inputs.provenance_log_filename)}
temporaryFailCodes: [100]
