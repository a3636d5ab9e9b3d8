"""Counts the operations of an .openvino file; its shapes are fixed."""

from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Any

from ritm_edge.errors import ArtifactError, UnsupportedOperationError
from ritm_edge.openvino_file import OpenVinoFile
from ritm_edge.runtimes.openvino import import_openvino

from .convention import (
    ACTIVATION,
    ARITHMETIC,
    BILINEAR_FLOPS,
    CLAMP_FLOPS,
    MOVEMENT,
    NORMALISATION,
    NORMALISATION_FLOPS,
    PRODUCT,
    QUANTISATION,
    QUANTISE_FLOPS,
    REDUCTION,
    RELU_FLOPS,
    RESIZE,
    SIGMOID_FLOPS,
    SOFTMAX,
    SOFTMAX_FLOPS,
    Count,
)

# Operation → kind and FLOPs per element of its result.
BY_RESULT = {
    "BatchNormInference": (NORMALISATION, NORMALISATION_FLOPS),
    "Relu": (ACTIVATION, RELU_FLOPS),
    "PRelu": (ACTIVATION, CLAMP_FLOPS),
    "Clamp": (ACTIVATION, CLAMP_FLOPS),
    "Sigmoid": (ACTIVATION, SIGMOID_FLOPS),
    "Tanh": (ACTIVATION, SIGMOID_FLOPS),
    "Softmax": (SOFTMAX, SOFTMAX_FLOPS),
    # To the grid of integers and back.
    "FakeQuantize": (QUANTISATION, 2 * QUANTISE_FLOPS),
    **dict.fromkeys(
        "Abs Add Ceiling Divide Equal Exp Floor Greater GreaterEqual Less LessEqual LogicalAnd "
        "LogicalNot LogicalOr Maximum Minimum Mod Multiply Negative NotEqual Power Round Select "
        "Sign Sqrt Subtract".split(),
        (ARITHMETIC, 1),
    ),
    "SquaredDifference": (ARITHMETIC, 2),
}
BY_INPUT = ("ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum")
WINDOWS = ("AvgPool", "MaxPool")
FREE = tuple(
    "Broadcast Concat Convert Gather Pad Reshape Slice Split Squeeze StridedSlice Tile "
    "Transpose Unsqueeze VariadicSplit".split()
)
ENDS = ("Constant", "Parameter", "Result")


def count_openvino(path: Path) -> Count:
    """Count one run.

    Args:
        path: of an .openvino file.

    Raises:
        ArtifactError: damaged.
        UnsupportedOperationError: an operation without a convention; the message names it.
    """
    openvino = import_openvino()
    file = OpenVinoFile.read(path)
    try:
        operations = openvino.Core().read_model(file.graph, file.weights).get_ordered_ops()
    except Exception as error:  # OpenVINO's exceptions are plain RuntimeError and others
        raise ArtifactError(
            f"{path} cannot be loaded by OpenVINO ({type(error).__name__}): export it again with "
            "the installed version."
        ) from error
    count = Count()
    constants: set[str] = set()
    for operation in operations:
        kind = operation.get_type_name()
        sources = {value.get_node().get_name() for value in operation.input_values()}
        # All shapes are fixed: what computes with them is done when the file is opened.
        if kind in ("Constant", "ShapeOf") or (sources and sources <= constants):
            constants.add(operation.get_name())
        elif kind not in ENDS:
            _add(count, operation, constants, path)
    return count


def _add(count: Count, operation: Any, constants: set[str], path: Path) -> None:
    kind = operation.get_type_name()
    inputs = [tuple(value.get_shape()) for value in operation.input_values()]
    result = tuple(operation.output(0).get_shape())
    if kind in ("Convolution", "GroupConvolution"):
        weight = inputs[1]  # [outputs, inputs, …], with groups [groups, outputs, inputs, …]
        groups = weight[0] if kind == "GroupConvolution" else 1
        window = weight[3:] if kind == "GroupConvolution" else weight[2:]
        count.add_convolution(
            result,
            window=prod(window),
            inputs=weight[2] if kind == "GroupConvolution" else weight[1],
            groups=groups,
            bias=False,
        )
        count.parameters += prod(weight)
    elif kind == "MatMul":
        transposed = operation.get_attributes().get("transpose_a", False)
        count.add(PRODUCT, macs=prod(result) * inputs[0][-2 if transposed else -1])
        for shape, value in zip(inputs, operation.input_values(), strict=True):
            if value.get_node().get_name() in constants:
                count.parameters += prod(shape)
    elif kind == "Interpolate":
        nearest = operation.get_attributes()["mode"] == "nearest"
        count.add_elements(RESIZE, result, 0 if nearest else BILINEAR_FLOPS)
    elif kind in BY_RESULT:
        name, per_element = BY_RESULT[kind]
        count.add_elements(name, result, per_element)
        count.parameters += _bias(kind, operation, inputs, constants)
    elif kind in BY_INPUT:
        count.add_elements(REDUCTION, inputs[0], 1)
    elif kind in WINDOWS:
        count.add_elements(REDUCTION, result, prod(operation.get_attributes()["kernel"]))
    elif kind in FREE:
        count.add(MOVEMENT)
    else:
        raise UnsupportedOperationError(
            f"{path} contains the operation '{kind}', which bench flops cannot count: leave the "
            "file out or export it again."
        )


def _bias(kind: str, operation: Any, inputs: Sequence[tuple[int, ...]], constants: set[str]) -> int:
    """Values of a bias, which this format adds in an operation of its own."""
    if kind != "Add" or len(inputs) != 2:
        return 0
    sources = [value.get_node() for value in operation.input_values()]
    for shape, source, other in zip(inputs, sources, reversed(sources), strict=True):
        if source.get_name() in constants and "Convolution" in other.get_type_name():
            return prod(shape)
    return 0
