"""Reads and executes Core ML ML Programs (.mlpackage) without Core ML.

`library` is coremltools, whose classes decode specification and weights; `package` opens the
folder, `weights` its weight files; `values` are the declared types; the `ops_*` modules hold one
function for each operation that our exports contain, `registry` lists them; `program` checks a
program and `evaluator` runs it. Sources are the public format specification (Model.proto,
MIL.proto) and the documentation of the MIL operations.
"""
