cwlVersion: v1.2
class: ExpressionTool
label: Names of the outputs of a step
doc: |
  From the name of an event file: the name of the product, of its log (`.log` added) and
  of its provenance record (`.provlog` added). Understood are simulations (`.simtel`, `.simtel.zst`,
  `.simtel.gz`), streams (`.fits.fz`) and event files (`.dl1.h5`, `.dl1_img.h5`, `.h5`);
  any other name is refused.
requirements:
  InlineJavascriptRequirement: {}
inputs:
  input_file:
    type: File
    doc: The event file.
  data_level:
    type: string
    default: dl1
    doc: Data level of the product.
outputs:
  output_filename: string
  log_filename: string
  provenance_log_filename: string
expression: |
  ${
    var name = inputs.input_file.basename;
    var match = /^(.+?)(\.simtel(\.zst|\.gz)?|\.fits\.fz|(\.(r0|r1|dl[^.]*))?\.h5)$/.exec(name);
    if (match === null) {
      throw "no event file by its name: " + name
        + " (expected .simtel, .simtel.zst, .simtel.gz, .fits.fz, .dl1.h5 or .h5)";
    }
    var product = match[1] + "." + inputs.data_level + ".h5";
    return {
      output_filename: product,
      log_filename: product + ".log",
      provenance_log_filename: product + ".provlog"
    };
  }
