cwlVersion: v1.2
class: ExpressionTool
label: The camera calibration of each stream
doc: |
  Pairs event streams with files of camera calibration by the telescope that
  their names begin with (`TEL001_`). Without calibration files every stream goes
  without one. A stream whose telescope has no calibration file is refused, and
  so are two files for one telescope.
requirements:
  InlineJavascriptRequirement: {}
inputs:
  streams:
    type: File[]
    doc: Event streams of single telescopes.
  calibrations:
    type: File[]?
    doc: Camera calibration files, one for each telescope.
outputs:
  paired:
    type:
      type: array
      items: ["null", File]
expression: |
  ${
    function telescope(file) {
      var match = /^(TEL\d{3})_/.exec(file.basename);
      if (match === null) { throw "no telescope in the file name " + file.basename; }
      return match[1];
    }
    var known = {};
    (inputs.calibrations || []).forEach(function (file) {
      var name = telescope(file);
      if (name in known) {
        throw "two calibration files for " + name + ": " + known[name].basename + ", " + file.basename;
      }
      known[name] = file;
    });
    return {paired: inputs.streams.map(function (file) {
      if (inputs.calibrations === null) { return null; }
      var name = telescope(file);
      if (!(name in known)) { throw "no camera calibration for " + name + ", wanted by " + file.basename; }
      return known[name];
    })};
  }
