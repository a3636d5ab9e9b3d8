"""An ONNX graph that computes as devices in half precision do, still on ONNX Runtime's CPU.

After every operation its result is rounded to float16 and widened again, so that the next one
starts from what a device would have stored. Weights and inputs are rounded once.
"""

from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..optional import require

# Rounding what they return changes nothing: it was rounded before.
MOVES = frozenset("Reshape Transpose Slice Concat Split Squeeze Unsqueeze Identity MaxPool".split())
# Engines compute these together with what comes before, without storing it.
ACTIVATIONS = frozenset("Relu Clip LeakyRelu Sigmoid Tanh".split())
MEANS = frozenset("AveragePool GlobalAveragePool ReduceMean".split())
SLICE = 32  # terms, or channels of a convolution, that are summed before the sum is rounded
SMALLEST_NORMAL = 2.0**-14
FINITE = "every_value_is_finite"


class HalfMode(StrEnum):
    """What of a device is emulated."""

    RESULTS = "results"  # every result, and running sums every `SLICE` terms, is float16
    FLUSHED = "flushed"  # so, and numbers below the normal ones become zero
    STORAGE = "storage"  # stored tensors are float16, sums float32


def half_graph(model: Any, mode: HalfMode) -> tuple[Any, list[str]]:
    """A copy of a float32 graph that rounds.

    Args:
        model: ONNX `ModelProto`, opset 13 or later.
        mode: what is emulated.

    Returns:
        The copy, with one more output `FINITE`: for each of the returned tensors, in the order of
        execution, 0 where it is finite and NaN elsewhere.
    """
    return _Rounding(model, mode).build()


class _Rounding:
    def __init__(self, model: Any, mode: HalfMode) -> None:
        onnx = require("onnx", extra="onnx")
        self.helper, self.arrays, self.mode = onnx.helper, onnx.numpy_helper, mode
        self.model = onnx.shape_inference.infer_shapes(model)
        graph = self.model.graph
        values = [*graph.input, *graph.value_info, *graph.output]
        tensors = {value.name: value.type.tensor_type for value in values}
        self.floats = {n for n, t in tensors.items() if t.elem_type == onnx.TensorProto.FLOAT}
        self.shapes = {n: [d.dim_value for d in t.shape.dim] for n, t in tensors.items()}
        self.constants = {tensor.name: self.arrays.to_array(tensor) for tensor in graph.initializer}
        self.shapes |= {name: list(array.shape) for name, array in self.constants.items()}
        self.nodes: list[Any] = []
        self.watched: list[str] = []
        self.count = 0

    def build(self) -> tuple[Any, list[str]]:
        graph = self.model.graph
        nodes = list(graph.node)
        consumers: dict[str, list[str]] = {}
        for node in nodes:
            for name in node.input:
                consumers.setdefault(name, []).append(node.op_type)
        # Sizes and regions are no numbers that a device stores.
        resizing = {name for node in nodes if node.op_type == "Resize" for name in node.input[1:]}
        for tensor in graph.initializer:
            array = self.constants[tensor.name]
            if array.dtype == np.float32 and tensor.name not in resizing:
                tensor.CopyFrom(self.arrays.from_array(self._rounded(array), tensor.name))
        for value in graph.input:
            if value.name in self.floats - self.constants.keys():
                renamed = f"{value.name}_half"
                self._round(value.name, renamed)
                for node in nodes:
                    for index, name in enumerate(node.input):
                        if name == value.name:
                            node.input[index] = renamed
        for node in nodes:
            followers = consumers.get(node.output[0], [])
            fused = len(followers) == 1 and followers[0] in ACTIVATIONS
            stored = self.mode != HalfMode.STORAGE or not fused
            self._add(node, rounds=stored and node.op_type not in MOVES)
        zeros = [self._node("Mul", [name, self._constant(np.float32(0))]) for name in self.watched]
        sums = [self._node("ReduceSum", [zero], keepdims=0) for zero in zeros]
        flat = [self._node("Reshape", [each, self._constant(np.array([1]))]) for each in sums]
        self._node("Concat", flat, FINITE, axis=0)
        del graph.node[:]
        graph.node.extend(self.nodes)
        graph.output.append(self.helper.make_tensor_value_info(FINITE, 1, [len(self.watched)]))
        return self.model, self.watched

    def _add(self, node: Any, *, rounds: bool) -> None:
        if not rounds or node.output[0] not in self.floats:
            self.nodes.append(node)
            return
        name, exact = node.output[0], f"{node.output[0]}_exact"
        node.output[0] = exact
        if self.mode != HalfMode.STORAGE and node.op_type in ("Conv", "MatMul"):
            exact = self._sum_in_half(node)
        else:
            self.nodes.append(node)
            averaged = node.op_type in MEANS and self.mode != HalfMode.STORAGE
            terms = self._terms(node, name) if averaged else 1
            if terms > 1:  # the sum is stored before it is divided
                total = self._round(self._node("Mul", [exact, self._constant(np.float32(terms))]))
                exact = self._node("Mul", [total, self._constant(np.float32(1 / terms))])
        self._round(exact, name)
        self.watched.append(name)

    def _terms(self, node: Any, output: str) -> int:
        """How many values are averaged; 1 where the size is open."""
        before, after = (int(np.prod(self.shapes.get(n, [0]))) for n in (node.input[0], output))
        for attribute in node.attribute:
            if attribute.name == "kernel_shape":
                return int(np.prod(attribute.ints))
        return before // after if before and after else 1

    def _sum_in_half(self, node: Any) -> str:
        """A product or convolution in slices of its terms; returns the name of the sum."""
        first, second, *bias = node.input
        convolution = node.op_type == "Conv"
        axes = (1, 1) if convolution else (-1, -2)
        shape = self.shapes.get(second, [])
        terms = shape[axes[1]] if len(shape) > 1 else 0
        groups = next((a.i for a in node.attribute if a.name == "group"), 1)
        if terms <= SLICE or groups != 1:
            self.nodes.append(node)
            return str(node.output[0])
        total = ""
        for start in range(0, terms, SLICE):
            parts = []
            for name, axis in zip((first, second), axes, strict=True):
                bounds = (start, min(start + SLICE, terms), axis)
                parts.append(
                    self._node("Slice", [name, *(self._constant(np.array([b])) for b in bounds)])
                )
            part = f"{node.output[0]}_{start}"
            piece = self.helper.make_node(node.op_type, parts + (bias if not total else []), [part])
            piece.attribute.extend(node.attribute)
            self.nodes.append(piece)
            part = self._round(part)
            total = self._round(self._node("Add", [total, part])) if total else part
        return total

    def _round(self, name: str, output: str | None = None) -> str:
        """Round a tensor; overflow becomes infinity."""
        flushed = self.mode == HalfMode.FLUSHED
        half = self._node("Cast", [name], to=10)
        wide = self._node("Cast", [half], None if flushed else output, to=1)
        if not flushed:
            return wide
        size = self._node("Abs", [wide])
        small = self._node("Less", [size, self._constant(np.float32(SMALLEST_NORMAL))])
        return self._node("Where", [small, self._constant(np.float32(0)), wide], output)

    def _rounded(self, array: NDArray[np.float32]) -> NDArray[np.float32]:
        with np.errstate(over="ignore"):
            half = array.astype(np.float16).astype(np.float32)
        if self.mode == HalfMode.FLUSHED:
            half[np.abs(half) < SMALLEST_NORMAL] = 0
        return half

    def _node(self, kind: str, inputs: list[str], output: str | None = None, **options: Any) -> str:
        self.count += 1
        output = output or f"rounding_{self.count}"
        self.nodes.append(self.helper.make_node(kind, inputs, [output], **options))
        return output

    def _constant(self, value: Any) -> str:
        array = np.asarray(value)
        name = f"constant_{array.dtype}_{array.tolist()}"
        if name not in self.constants:
            self.constants[name] = array
            self.model.graph.initializer.append(self.arrays.from_array(array, name))
        return name
