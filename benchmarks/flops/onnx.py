"""Counts the nodes of an .onnx file as it is executed.

Shapes come from one run: every value gets a `Shape` node, and only those are fetched. That holds
for graphs of any size too, whose shapes are computed while they run.
"""

from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ritm_edge.errors import ArtifactError, MissingExtraError
from ritm_edge.optional import require
from ritm_edge.runtimes.onnx import open_session

from .convention import REDUCTION, Count, Rule, by_operation, rule_of

SHAPE_OF = "ritm_edge_shape_of:"
RULES = by_operation(
    {
        Rule.NORMALISE: "BatchNormalization",
        Rule.RELU: "Relu",
        Rule.CLAMP: "Clip LeakyRelu PRelu",
        Rule.SIGMOID: "Sigmoid Tanh",
        Rule.SOFTMAX: "Softmax",
        Rule.QUANTISE: "DequantizeLinear DynamicQuantizeLinear QuantizeLinear",
        Rule.CALCULATE: (
            "Abs Add And Ceil Div Equal Erf Exp Floor Greater GreaterOrEqual Less LessOrEqual Max "
            "Min Mod Mul Neg Not Or Pow Reciprocal Round Sign Sqrt Sub Sum Where Xor"
        ),
        Rule.REDUCE: "GlobalAveragePool GlobalMaxPool ReduceMax ReduceMean ReduceMin ReduceSum",
        Rule.MOVE: (
            "Cast Concat Constant ConstantOfShape Expand Flatten Gather GatherElements GatherND "
            "Identity Pad Range Reshape ScatterND Shape Slice Split Squeeze Tile Transpose "
            "Unsqueeze"
        ),
    }
)
WINDOWS = ("MaxPool", "AveragePool")
PRODUCTS = ("MatMul", "Gemm", "MatMulInteger")
# Convolutions: position of weight and bias among the inputs.
CONVOLUTIONS = {
    "Conv": (1, 2),
    "ConvInteger": (1, None),
    "QLinearConv": (3, 8),
    "FusedConv": (1, 2),
}

Shapes = Mapping[str, tuple[int, ...]]


def count_onnx(path: Path, inputs: Mapping[str, NDArray[np.float32]]) -> Count:
    """Count one run of an artifact that its runtime has opened already; `inputs`, by name, decide
    the size of a graph of any size. Raises ArtifactError: damaged, or it fails while running;
    UnsupportedOperationError: an operation without a convention; the message names it."""
    onnx = require("onnx", extra="onnx")
    try:
        model = onnx.load(path)
    except Exception as error:  # protobuf's errors share no public base class
        raise ArtifactError(f"{path} is damaged ({type(error).__name__}): export it again.") from (
            error
        )
    constants = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    shapes = {**constants, **_run_for_shapes(onnx, model, inputs, path)}
    count = Count()
    for node in model.graph.node:
        if all(name in constants for name in node.input if name):
            constants |= {name: shapes[name] for name in node.output if name}
        else:
            _add(count, node, shapes, constants, path)
    return count


def _run_for_shapes(
    onnx: Any, model: Any, inputs: Mapping[str, NDArray[np.float32]], path: Path
) -> Shapes:
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    names = [name for node in model.graph.node for name in node.output if name]
    del probe.graph.output[:]
    for name in names:
        shape = SHAPE_OF + name
        probe.graph.node.append(onnx.helper.make_node("Shape", [name], [shape]))
        probe.graph.output.append(
            onnx.helper.make_tensor_value_info(shape, onnx.TensorProto.INT64, None)
        )
    try:
        session = open_session(probe.SerializeToString(), optimize=False)
        found = session.run([SHAPE_OF + name for name in names], dict(inputs))
    except MissingExtraError:
        raise
    except Exception as error:  # ONNX Runtime's exceptions share no public base class
        raise ArtifactError(
            f"{path} fails while running ({type(error).__name__}): export it again."
        ) from error
    computed = {name: tuple(map(int, shape)) for name, shape in zip(names, found, strict=True)}
    return {name: array.shape for name, array in inputs.items()} | computed


def _add(count: Count, node: Any, shapes: Shapes, constants: Shapes, path: Path) -> None:
    kind = node.op_type
    result = shapes[next(name for name in node.output if name)]
    if kind in CONVOLUTIONS:
        _add_convolution(count, node, result, shapes)
    elif kind in PRODUCTS:
        _add_product(count, node, result, shapes, constants)
    elif kind == "Resize":
        linear = _attribute(node, "mode", b"nearest") == b"linear"
        count.add_by_rule(Rule.BILINEAR if linear else Rule.NEAREST, result)
    elif kind in WINDOWS:
        count.add_elements(REDUCTION, result, prod(_attribute(node, "kernel_shape", ())))
    else:
        rule = rule_of(kind, RULES, path)
        count.add_by_rule(rule, shapes[node.input[0]] if rule.of_input else result)


def _add_convolution(count: Count, node: Any, result: Sequence[int], shapes: Shapes) -> None:
    weight_at, bias_at = CONVOLUTIONS[node.op_type]
    weight = shapes[node.input[weight_at]]
    count.add_convolution(
        result,
        channels=weight[0],
        window=prod(weight[2:]),
        inputs=weight[1],
        groups=_attribute(node, "group", 1),
        bias=bias_at is not None and len(node.input) > bias_at and bool(node.input[bias_at]),
    )


def _add_product(
    count: Count, node: Any, result: Sequence[int], shapes: Shapes, constants: Shapes
) -> None:
    first = shapes[node.input[0]]
    inner = first[-2] if _attribute(node, "transA", 0) else first[-1]
    added = node.op_type == "Gemm" and len(node.input) > 2
    count.add_product(result, inner=inner, per_element=int(added))
    count.parameters += sum(prod(constants[name]) for name in node.input if name in constants)


def _attribute(node: Any, name: str, default: Any) -> Any:
    value = require("onnx", extra="onnx").helper.get_attribute_value
    return next((value(each) for each in node.attribute if each.name == name), default)
