"""Reads and writes the flatbuffer of a .tflite file through the schema's object API."""

from collections.abc import Iterator
from typing import Any

from ritm_edge.optional import require

IDENTIFIER = b"TFL3"
# TFLite's schema asks for it (force_align); kernels read weights with vector loads.
ALIGNMENT = 16
CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")


def unpack(data: bytes) -> Any:
    """The model (`ModelT`) in a trusted, undamaged flatbuffer."""
    schema = require("ai_edge_litert.schema_py_generated", extra="tflite")
    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))


def pack(model: Any) -> bytes:
    """Serialise with every buffer aligned to 16 bytes, which `ModelT.Pack` alone does not do."""
    flatbuffers = require("flatbuffers", extra="tflite")
    schema = require("ai_edge_litert.schema_py_generated", extra="tflite")

    class AlignedBuffer(schema.BufferT):  # type: ignore[misc,name-defined]  # found at run time
        def Pack(self, builder: Any) -> int:
            vector = _aligned_vector(builder, bytes(self.data)) if len(self.data) else None
            schema.BufferStart(builder)
            if vector is not None:
                schema.BufferAddData(builder, vector)
            return int(schema.BufferEnd(builder))

    model.buffers = [
        AlignedBuffer(b"" if buffer.data is None else buffer.data) for buffer in model.buffers
    ]
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())


def _aligned_vector(builder: Any, data: bytes) -> int:
    builder.StartVector(1, len(data), ALIGNMENT)
    # What Builder.CreateByteVector does, which cannot be given an alignment.
    builder.head -= len(data)
    builder.Bytes[builder.head : builder.head + len(data)] = data
    return int(builder.EndVector())


def set_metadata(model: Any, key: str, text: str) -> None:
    """Add a metadata entry, or replace the one of that name."""
    schema = require("ai_edge_litert.schema_py_generated", extra="tflite")
    name, data = key.encode(), text.encode()
    for entry in model.metadata or []:
        if entry.name == name:
            model.buffers[entry.buffer].data = data
            return
    model.buffers.append(schema.BufferT(data))
    entry = schema.MetadataT(name, len(model.buffers) - 1)
    model.metadata = [*(model.metadata or []), entry]


def constant_data(model: Any, tensor: Any) -> Any:
    """Bytes of a constant `TensorT`; None where the tensor is computed or empty."""
    data = model.buffers[tensor.buffer].data
    return data if data is not None and len(data) else None


def operators(model: Any) -> Iterator[tuple[str, Any]]:
    """Name and operator of every operation of the first graph, in order."""
    schema = require("ai_edge_litert.schema_py_generated", extra="tflite")
    names = {value: name for name, value in vars(schema.BuiltinOperator).items()}
    for operator in model.subgraphs[0].operators:
        yield names[model.operatorCodes[operator.opcodeIndex].builtinCode], operator


def name_tensors(model: Any) -> None:
    """Give input and output tensors the names of the signature, for tools that show or use them.

    Constants lose theirs: the converter only numbered them, and hundreds of names take 10 kB.
    """
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            if constant_data(model, tensor) is not None:
                tensor.name = None
    for signature in model.signatureDefs:
        tensors = model.subgraphs[signature.subgraphIndex].tensors
        for entry in [*signature.inputs, *signature.outputs]:
            tensors[entry.tensorIndex].name = entry.name
