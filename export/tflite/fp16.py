"""TFLite with half-precision weights."""

from typing import Any

import numpy as np

from ritm_edge.optional import require

from .flatbuffer import CONVOLUTIONS, constant_data, operators


def weights_to_fp16(model: Any) -> None:
    """Store weights and biases of convolutions as float16 with a Dequantize before, in place.

    XNNPACK widens them once, when the file is opened, and computes in float32; but it takes only
    convolutions of which both come from a Dequantize. TFLite's own float16 conversion would take
    the constants of the clicks too.

    Args:
        model: `ModelT` from `flatbuffer.unpack`.
    """
    schema = require("ai_edge_litert.schema_py_generated", extra="tflite")
    graph = model.subgraphs[0]
    halved: dict[int, int] = {}
    for kind, operator in operators(model):
        constants = [i for i in operator.inputs[1:] if i >= 0] if kind in CONVOLUTIONS else []
        halves = {i: _in_half(model, graph.tensors[i]) for i in constants if i not in halved}
        if None in halves.values():
            continue
        for index, data in halves.items():
            tensor = graph.tensors[index]
            model.buffers.append(schema.BufferT(data))
            half = schema.TensorT()
            half.shape, half.type = tensor.shape, schema.TensorType.FLOAT16
            half.buffer = len(model.buffers) - 1
            graph.tensors.append(half)
            halved[index] = len(graph.tensors) - 1
            tensor.name = None
            tensor.buffer = 0  # by the schema an empty buffer: the tensor is computed
    _empty_unused_buffers(model)
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.DEQUANTIZE
    code.version = 3  # the first that takes float16
    model.operatorCodes.append(code)
    widened = []
    for constant, half_index in halved.items():
        operator = schema.OperatorT()
        operator.opcodeIndex = len(model.operatorCodes) - 1
        operator.inputs, operator.outputs = [half_index], [constant]
        widened.append(operator)
    graph.operators = [*widened, *graph.operators]


def _in_half(model: Any, tensor: Any) -> bytes | None:
    """A constant's float16 values; None where it is computed, of another type, or too large."""
    schema = require("ai_edge_litert.schema_py_generated", extra="tflite")
    data = constant_data(model, tensor)
    if tensor.type != schema.TensorType.FLOAT32 or data is None:
        return None
    values = np.frombuffer(bytes(data), np.float32)
    fits = np.abs(values).max() <= np.finfo(np.float16).max
    return values.astype(np.float16).tobytes() if fits else None


def _empty_unused_buffers(model: Any) -> None:
    used = {tensor.buffer for graph in model.subgraphs for tensor in graph.tensors}
    used |= {entry.buffer for entry in model.metadata or []}
    for index, buffer in enumerate(model.buffers):
        if index not in used:
            buffer.data = None
