cwlVersion: v1.2
class: ExpressionTool
label: The product of a file
doc: Among the products of `process_files.cwl`, the one that was made from a file, by its name.
requirements:
  InlineJavascriptRequirement: {}
inputs:
  products:
    type: File[]
    doc: Products of many files.
  input_file:
    type: File
    doc: One of the files they were made from.
outputs:
  product: File
expression: |
  ${
    var stem = inputs.input_file.basename.replace(/(\.(dl0|dl1|r1))?\.h5$/, "");
    var found = inputs.products.filter(function (file) {
      return file.basename.replace(/\.[^.]+\.h5$/, "") === stem;
    });
    if (found.length !== 1) { throw "no product of " + inputs.input_file.basename; }
    return {product: found[0]};
  }
