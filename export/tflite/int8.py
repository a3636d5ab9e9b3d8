"""TFLite in 8-bit integers: ranges that we measure, and layers that stay in float32."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ritm_edge.io_spec import CLICKS
from ritm_edge.optional import require

from ..layer_names import Operation, layers_of_operations
from .flatbuffer import CONVOLUTIONS, constant_data, operators, pack, unpack

Array = NDArray[np.float32]
Arrays = Mapping[str, Array]
Ranges = dict[int, tuple[float, float]]

# The softmax runs over all pixels: in steps of 1/256 almost every weight would be zero, and the
# context that the product gathers a mean of nothing (mask IoU 0.86 instead of 0.97).
FLOAT_OPERATIONS = ("tfl.batch_matmul",)
SOFTMAX = "SOFTMAX"
# In the job of the worker: before the names of the weights of layers that stay in float32.
KEPT = "kept: "
OTHER = ""  # stands for all layers that become integers


def integer_model(
    data: bytes, calibration: Arrays, kept: Mapping[str, Array], threads: int
) -> bytes:
    """The flatbuffer in static 8-bit integers, one scale per output channel of a weight.

    Float32 in and out. Clicks, the context vector of the image, the maps of one channel that come
    before a softmax or a sigmoid, and the named layers stay in float32.

    Args:
        data: the flatbuffer in float32.
        calibration: inputs [N, 1, …] by name, NCHW.
        kept: weights [O, I, H, W] of the convolutions whose layers stay in float32, by name.
        threads: for the measurement of ranges.

    Raises:
        RuntimeError: a kept weight is not in the flatbuffer.
    """
    from tensorflow.lite.python.convert import mlir_quantize

    schema = require("ai_edge_litert.schema_py_generated", extra="tflite")
    model = unpack(data)
    tensors = model.subgraphs[0].tensors
    variable = {int(i) for i in model.subgraphs[0].inputs}
    variable |= {int(i) for _, operator in operators(model) for i in operator.outputs}
    # What has no range stays as it is: the only way to keep single tensors in float32.
    variable -= _exact_tensors(model) | _outputs_of(model, kept)
    for index, (low, high) in measure_ranges(data, variable, calibration, threads).items():
        tensors[index].quantization = schema.QuantizationParametersT()
        tensors[index].quantization.min = [low]
        tensors[index].quantization.max = [high]
    return bytes(mlir_quantize(pack(model), denylisted_ops=list(FLOAT_OPERATIONS)))


def measure_ranges(
    data: bytes, tensors: Collection[int], calibration: Arrays, threads: int
) -> Ranges:
    """Smallest and largest value of those of the tensors that are float32, by their index.

    TensorFlow's own calibrator looks at a tensor after the addition that follows has written its
    sum into the same memory: in residual blocks it saw ranges eight times too wide.

    Args:
        data: flatbuffer in float32.
        tensors: indices in its first graph.
        calibration: inputs [N, 1, …] by name, NCHW.
        threads: of the interpreter.
    """
    litert = require("ai_edge_litert.interpreter", extra="tflite")
    interpreter = litert.Interpreter(
        model_content=data,
        num_threads=threads,
        experimental_preserve_all_tensors=True,
        # XNNPACK would hide what is between the operations that it takes.
        experimental_op_resolver_type=litert.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    run = interpreter.get_signature_runner()
    found: Ranges = {}
    for row in _rows(calibration):
        run(**row)
        for index in tensors:
            values = interpreter.get_tensor(index)
            if values.dtype == np.float32:
                low, high = found.get(index, (np.inf, -np.inf))
                found[index] = min(low, float(values.min())), max(high, float(values.max()))
    return found


def _exact_tensors(model: Any) -> set[int]:
    """Clicks and what is computed from them alone, single vectors, and single channels."""
    graph = model.subgraphs[0]
    exact = {i for i in graph.inputs if CLICKS.encode() in graph.tensors[i].name}
    constant = {
        index
        for index, tensor in enumerate(graph.tensors)
        if constant_data(model, tensor) is not None
    }
    for kind, operator in operators(model):
        variable = {i for i in operator.inputs if i >= 0} - constant
        if variable and variable <= exact and kind not in CONVOLUTIONS:
            exact |= set(operator.outputs)
    for kind, operator in operators(model):
        if kind == SOFTMAX:
            exact |= {*operator.inputs, *operator.outputs}
        for index in operator.outputs:
            shape = [int(n) for n in graph.tensors[index].shape]
            if shape[-1] == 1 or (len(shape) == 4 and shape[1:3] == [1, 1]):
                exact.add(index)
    return exact


def _outputs_of(model: Any, kept: Mapping[str, Array]) -> set[int]:
    """What the layers of the given weights write.

    The converters forget names, but not values: a convolution is known by its weights.
    """
    wanted = {_stored(weight).tobytes(): name for name, weight in kept.items()}
    tensors = model.subgraphs[0].tensors
    operations = []
    for kind, operator in operators(model):
        layer = None
        if kind in CONVOLUTIONS:
            layer = wanted.get(bytes(constant_data(model, tensors[operator.inputs[1]])), OTHER)
        outputs = tuple(operator.outputs)
        operations.append(Operation(outputs, operator.inputs, outputs, layer))
    layers = layers_of_operations(operations)
    lost = set(wanted.values()) - set(layers.values())
    if lost:
        raise RuntimeError(f"onnx2tf changed the weights {', '.join(sorted(lost))}")
    return {i for outputs, layer in layers.items() if layer != OTHER for i in outputs}


def _stored(weight: Array) -> Array:
    """Weights [O, I, H, W] as the file has them: [O, H, W, I], of depthwise ones [1, H, W, O]."""
    is_depthwise = weight.shape[1] == 1 and len(weight) > 1
    return weight.transpose((1, 2, 3, 0) if is_depthwise else (0, 2, 3, 1))


def _rows(calibration: Arrays) -> Iterator[dict[str, Array]]:
    for index in range(len(next(iter(calibration.values())))):
        yield {
            name: array[index].transpose(0, 2, 3, 1) if array[index].ndim == 4 else array[index]
            for name, array in calibration.items()
        }
