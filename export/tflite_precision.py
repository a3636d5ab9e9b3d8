"""TFLite below float32: half-precision weights, or 8-bit integers."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ritm_edge.io_spec import CLICKS
from ritm_edge.optional import require

from .tflite_flatbuffer import constant_data, pack, unpack

Arrays = Mapping[str, NDArray[np.float32]]

# The softmax runs over all pixels: in steps of 1/256 almost every weight would be zero, and the
# context that the product gathers a mean of nothing (mask IoU 0.86 instead of 0.97).
FLOAT_OPERATIONS = ("tfl.batch_matmul",)
CONVOLUTION, SOFTMAX = "CONV_2D", "SOFTMAX"


def halve_weights(model: Any) -> None:
    """Store weights and biases of convolutions as float16 with a Dequantize before, in place.

    XNNPACK widens them once, when the file is opened, and computes in float32; but it takes only
    convolutions of which both come from a Dequantize. TFLite's own float16 conversion would take
    the constants of the clicks too.

    Args:
        model: `ModelT` from `tflite_flatbuffer.unpack`.
    """
    schema = require("ai_edge_litert.schema_py_generated", extra="tflite")
    graph = model.subgraphs[0]
    halved: dict[int, int] = {}
    for kind, operator in operators(model):
        constants = [i for i in operator.inputs[1:] if i >= 0] if kind == CONVOLUTION else []
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


def integer_model(converter: Any, calibration: Arrays) -> bytes:
    """The flatbuffer of a TFLite converter in static 8-bit integers, one scale per channel.

    Float32 in and out. Clicks, the context vector of the image and the maps of one channel that
    come before a softmax or a sigmoid stay in float32.

    Args:
        converter: a configured `tf.lite.TFLiteConverter`.
        calibration: inputs [N, 1, …] by name, NCHW.
    """
    import tensorflow as tf
    from tensorflow.lite.python.convert import mlir_quantize

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: _rows(calibration)
    # The two halves of the conversion apart: what has no observed range stays as it is, and that
    # is the only way to keep single tensors in float32.
    converter._experimental_calibrate_only = True
    model = unpack(converter.convert())
    _forget_ranges(model)
    return bytes(mlir_quantize(pack(model), denylisted_ops=list(FLOAT_OPERATIONS)))


def _forget_ranges(model: Any) -> None:
    graph = model.subgraphs[0]
    exact = {i for i in graph.inputs if CLICKS.encode() in graph.tensors[i].name}
    constant = {
        index
        for index, tensor in enumerate(graph.tensors)
        if constant_data(model, tensor) is not None
    }
    for kind, operator in operators(model):
        variable = {i for i in operator.inputs if i >= 0} - constant
        if variable and variable <= exact and kind != CONVOLUTION:
            exact |= set(operator.outputs)
    for kind, operator in operators(model):
        if kind == SOFTMAX:
            exact |= {*operator.inputs, *operator.outputs}
        for index in operator.outputs:
            shape = [int(n) for n in graph.tensors[index].shape]
            if shape[-1] == 1 or (len(shape) == 4 and shape[1:3] == [1, 1]):
                exact.add(index)
    for index in exact:
        graph.tensors[index].quantization = None


def operators(model: Any) -> Iterator[tuple[str, Any]]:
    """Name and operator of every operation of the first graph, in order."""
    schema = require("ai_edge_litert.schema_py_generated", extra="tflite")
    names = {value: name for name, value in vars(schema.BuiltinOperator).items()}
    for operator in model.subgraphs[0].operators:
        yield names[model.operatorCodes[operator.opcodeIndex].builtinCode], operator


def _rows(calibration: Arrays) -> Iterator[dict[str, NDArray[np.float32]]]:
    for index in range(len(next(iter(calibration.values())))):
        yield {
            name: array[index].transpose(0, 2, 3, 1) if array[index].ndim == 4 else array[index]
            for name, array in calibration.items()
        }
