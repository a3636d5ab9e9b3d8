"""Counts the operations of an .openvino file; its shapes are fixed."""

from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Any

from ritm_edge.artifacts.openvino import OpenVinoFile
from ritm_edge.errors import ArtifactError
from ritm_edge.runtimes.openvino import import_openvino

from .convention import REDUCTION, Count, Rule, by_operation, rule_of

RULES = by_operation(
    {
        Rule.NORMALISE: "BatchNormInference",
        Rule.RELU: "Relu",
        Rule.CLAMP: "Clamp PRelu",
        Rule.SIGMOID: "Sigmoid Tanh",
        Rule.SOFTMAX: "Softmax",
        Rule.FAKE_QUANTISE: "FakeQuantize",
        Rule.CALCULATE: (
            "Abs Add Ceiling Divide Equal Exp Floor Greater GreaterEqual Less LessEqual LogicalAnd "
            "LogicalNot LogicalOr Maximum Minimum Mod Multiply Negative NotEqual Power Round "
            "Select Sign Sqrt Subtract"
        ),
        Rule.SQUARED_DIFFERENCE: "SquaredDifference",
        Rule.REDUCE: "ReduceMax ReduceMean ReduceMin ReduceSum",
        Rule.MOVE: (
            "Broadcast Concat Convert Gather Pad Reshape Slice Split Squeeze StridedSlice Tile "
            "Transpose Unsqueeze VariadicSplit"
        ),
    }
)
WINDOWS = ("AvgPool", "MaxPool")
ENDS = ("Constant", "Parameter", "Result")


def count_openvino(path: Path) -> Count:
    """Count one run of an artifact that its runtime has opened already. Raises ArtifactError:
    damaged; UnsupportedOperationError: an operation without a convention; the message names it."""
    openvino = import_openvino()
    file = OpenVinoFile.read(path, allow_changed=True)
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
        weight, groups = inputs[1], 1  # [outputs, inputs, …]
        if kind == "GroupConvolution":  # [groups, outputs, inputs, …]
            groups, weight = weight[0], weight[1:]
        count.add_convolution(
            result,
            channels=groups * weight[0],
            window=prod(weight[2:]),
            inputs=weight[1],
            groups=groups,
            bias=False,
        )
    elif kind == "MatMul":
        transposed = operation.get_attributes().get("transpose_a", False)
        count.add_product(result, inner=inputs[0][-2 if transposed else -1])
        for shape, value in zip(inputs, operation.input_values(), strict=True):
            if value.get_node().get_name() in constants:
                count.parameters += prod(shape)
    elif kind == "Interpolate":
        nearest = operation.get_attributes()["mode"] == "nearest"
        count.add_by_rule(Rule.NEAREST if nearest else Rule.BILINEAR, result)
    elif kind in WINDOWS:
        count.add_elements(REDUCTION, result, prod(operation.get_attributes()["kernel"]))
    else:
        rule = rule_of(kind, RULES, path)
        count.add_by_rule(rule, inputs[0] if rule.of_input else result)
        count.parameters += _bias(kind, operation, inputs, constants)


def _bias(kind: str, operation: Any, inputs: Sequence[tuple[int, ...]], constants: set[str]) -> int:
    """Values of a bias, which this format adds in an operation of its own."""
    if kind != "Add" or len(inputs) != 2:
        return 0
    sources = [value.get_node() for value in operation.input_values()]
    for shape, source, other in zip(inputs, sources, reversed(sources), strict=True):
        if source.get_name() in constants and "Convolution" in other.get_type_name():
            return prod(shape)
    return 0
