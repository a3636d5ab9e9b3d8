"""Reads and executes Core ML ML Programs (.mlpackage) without Core ML.

`package` opens the folder, `wire` and `schema` decode its protobuf specification, `blobs` maps
its weights, `values` are the declared types, the `ops_*` modules hold one function per operation,
and `evaluator` runs the program. Sources are the public format specification (Model.proto,
MIL.proto), the public blob storage format, and the documentation of the MIL operations.
"""
