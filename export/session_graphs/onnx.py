"""Session graphs as .onnx files beside the network, for photos and screens of any size.

The lines of `session.geometry` run once on placeholders, which write down every operation.
PyTorch's exporter would need half a minute for the same few hundred nodes.
"""

import hashlib
import operator
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ritm_edge.optional import require
from ritm_edge.runtimes.onnx import SESSION_SUFFIX
from ritm_edge.runtimes.step_contract import COLUMNS, PIXELS, ROWS, StepTensors
from ritm_edge.session.geometry import NUMPY

from ..onnx.graph import OPSET
from .steps import Step, StepSettings, all_steps

IR_VERSION = 8  # the first that may hold this opset
EXAMPLE = {PIXELS: 4, ROWS: 2, COLUMNS: 3}
TO_THE_END = 1 << 62


class _Tensor:
    """A value of the graph: its name, and an example, which has its type and its fixed lengths."""

    __array_ufunc__ = None  # so that NumPy leaves `array + tensor` to the tensor

    def __init__(self, graph: "_Graph", name: str, example: NDArray[Any]) -> None:
        self.graph, self.name, self.example = graph, name, example
        self.shape, self.dtype = example.shape, example.dtype

    def call(self, kind: str, example: NDArray[Any], *others: Any, **attributes: Any) -> "_Tensor":
        """The result of an operation on this value and others."""
        return self.graph.add(kind, example, (self, *others), **attributes)

    def __neg__(self) -> "_Tensor":
        return self.call("Neg", -self.example)

    def __getitem__(self, key: Any) -> "_Tensor":
        keys = key if isinstance(key, tuple) else (key,)
        found, taken = self, [each for each in keys if each is not None]
        # A single index is a slice whose axis is dropped afterwards.
        slices = [each if isinstance(each, slice) else slice(each, each + 1) for each in taken]
        limits = [
            (s.start or 0, TO_THE_END if s.stop is None else s.stop, axis)
            for axis, s in enumerate(slices)
            if s != slice(None)
        ]
        if limits:
            found = found.call("Slice", self.example[tuple(slices)], *np.array(limits, np.int64).T)
        dropped = tuple(axis for axis, each in enumerate(taken) if isinstance(each, int))
        if dropped:
            found = found.call(
                "Squeeze", np.squeeze(found.example, dropped), np.array(dropped, np.int64)
            )
        added = tuple(axis for axis, each in enumerate(keys) if each is None)
        if added:
            wider = np.expand_dims(found.example, added)
            found = found.call("Unsqueeze", wider, np.array(added, np.int64))
        return found


class _Graph:
    """Nodes in order, and the constants that they use."""

    def __init__(self) -> None:
        self.onnx = require("onnx", extra="onnx")
        self.nodes: list[Any] = []
        self.constants: dict[tuple[str, Any, bytes], Any] = {}

    def add(
        self, kind: str, example: NDArray[Any], operands: Sequence[Any], **attributes: Any
    ) -> _Tensor:
        """Write one node down."""
        name = f"{kind}_{len(self.nodes)}"
        inputs = [each.name if isinstance(each, _Tensor) else self._constant(each)
                  for each in operands]  # fmt: skip
        self.nodes.append(self.onnx.helper.make_node(kind, inputs, [name], **attributes))
        return _Tensor(self, name, example)

    def _constant(self, values: Any) -> str:
        array = np.ascontiguousarray(values)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self.constants:
            name = f"constant_{len(self.constants)}"
            self.constants[key] = self.onnx.numpy_helper.from_array(array, name)
        return str(self.constants[key].name)


def _operation(kind: str, compute: Callable[..., Any], **attributes: int) -> Callable[..., Any]:
    """An operation on tensors, arrays and plain numbers; without a tensor, its result."""

    def apply(*operands: Any) -> Any:
        tensors = [each for each in operands if isinstance(each, _Tensor)]
        if not tensors:
            return compute(*operands)
        # A plain number has the type of the others, unless they are conditions.
        kinds = [each.dtype for each in operands if hasattr(each, "dtype") and each.dtype != bool]
        typed = [each if hasattr(each, "dtype") else np.array([each], kinds[0])
                 for each in operands]  # fmt: skip
        example = compute(*(each.example if isinstance(each, _Tensor) else each for each in typed))
        return tensors[0].graph.add(kind, example, typed, **attributes)

    return apply


def _for_tensors(name: str, apply: Callable[..., _Tensor]) -> Callable[..., Any]:
    """`apply` to a tensor; to an array NumPy's function of that name."""
    return lambda values, *arguments: (
        apply if isinstance(values, _Tensor) else getattr(NUMPY, name)
    )(values, *arguments)


for _name, _kind, _reflected in (
    ("add", "Add", True), ("sub", "Sub", True), ("mul", "Mul", True), ("truediv", "Div", True),
    ("and_", "And", True), ("ge", "GreaterOrEqual", False), ("gt", "Greater", False),
    ("le", "LessOrEqual", False), ("lt", "Less", False),
):  # fmt: skip
    _apply = _operation(_kind, getattr(operator, _name))
    setattr(_Tensor, f"__{_name.strip('_')}__", _apply)
    if _reflected:
        setattr(_Tensor, f"__r{_name.strip('_')}__", lambda a, b, apply=_apply: apply(b, a))


def _cast(kind: type[np.generic]) -> Callable[[Any], _Tensor]:
    def apply(values: _Tensor) -> _Tensor:
        to = values.graph.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(kind))
        return values.call("Cast", values.example.astype(kind), to=to)

    return apply


def _reduced(name: str, kind: str) -> Callable[..., Any]:
    compute = getattr(NUMPY, name)
    return _for_tensors(
        name, lambda x, axis: x.call(kind, compute(x.example, axis), np.array([axis], np.int64))
    )


def _transposed(values: _Tensor, *order: int) -> _Tensor:
    return values.call("Transpose", values.example.transpose(order), perm=order)


def _reshaped(values: _Tensor, shape: Sequence[int]) -> _Tensor:
    return values.call("Reshape", values.example.reshape(shape), np.array(shape, np.int64))


def _mirrored(values: _Tensor, axis: int) -> _Tensor:
    limits = np.array([[-1], [-TO_THE_END], [axis], [-1]], np.int64)  # start, end, axis, step
    return values.call("Slice", values.example, *limits)


def _gathered(values: _Tensor, at: _Tensor) -> _Tensor:
    # Bytes as bytes: a photo in float32 would be four times its size.
    at = _cast(np.int32)(at)
    return values.call("Gather", values.example.take(at.example, 0, mode="clip"), at, axis=0)


ONNX = SimpleNamespace(
    floor=_operation("Floor", np.floor), round=_operation("Round", np.round),
    sqrt=_operation("Sqrt", np.sqrt), where=_operation("Where", np.where),
    minimum=_operation("Min", np.minimum), maximum=_operation("Max", np.maximum),
    concat=lambda parts, axis: _operation(
        "Concat", lambda *each: np.concatenate(each, axis), axis=axis)(*parts),
    reshape=_for_tensors("reshape", _reshaped),
    transpose=_for_tensors("transpose", lambda x: _transposed(x, 1, 0)), flip=_mirrored,
    max=_reduced("max", "ReduceMax"), min=_reduced("min", "ReduceMin"), rows=_gathered,
    vector=NUMPY.vector, arange=NUMPY.arange, number=_for_tensors("number", _cast(np.float32)),
    integer=_cast(np.int32), byte=_cast(np.uint8), channels_first=lambda x: _transposed(x, 2, 0, 1),
)  # fmt: skip


def write_session_graphs(settings: StepSettings, path: Path) -> dict[str, Any]:
    """Write every graph as NAME.onnx into the folder beside the network at `path`.

    Returns:
        What the self-description says of them: their checksums.

    Raises:
        MissingExtraError: the package onnx is not installed.
    """
    folder = path.with_suffix(SESSION_SUFFIX)
    folder.mkdir()
    files = {}
    for name, step in all_steps(settings).items():
        content = _convert(name, step, settings)
        (folder / f"{name}.onnx").write_bytes(content)
        files[name] = hashlib.sha256(content).hexdigest()
    return {"files": files}


def _convert(name: str, step: Step, settings: StepSettings) -> bytes:
    graph = _Graph()
    helper = graph.onnx.helper

    def declared(tensors: StepTensors) -> list[Any]:
        types = {n: helper.np_dtype_to_tensor_dtype(np.dtype(k)) for n, (k, _) in tensors.items()}
        return [helper.make_tensor_value_info(n, types[n], s) for n, (_, s) in tensors.items()]

    given = {}
    for tensor, (kind, shape) in step.inputs.items():
        lengths = [EXAMPLE[n] if isinstance(n, str) else n for n in shape]
        given[tensor] = _Tensor(graph, tensor, np.zeros(lengths, kind))
    with np.errstate(all="ignore"):  # of the examples
        results = step.compute(ONNX, settings, given)
    for output, result in zip(step.outputs, results, strict=True):
        graph.nodes.append(helper.make_node("Identity", [result.name], [output]))
    made = helper.make_graph(
        graph.nodes, name, declared(step.inputs), declared(step.outputs),
        initializer=list(graph.constants.values()),
    )  # fmt: skip
    model = helper.make_model(
        made, ir_version=IR_VERSION, opset_imports=[helper.make_opsetid("", OPSET)],
        producer_name="ritm-edge",
    )  # fmt: skip
    graph.onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())
