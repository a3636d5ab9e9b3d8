"""Runs the click encoding of an ONNX graph in TensorFlow, operation by operation as it stands.

onnx2tf takes tensors for images and tells their layout from their sizes. Clicks and what is
computed from them are no images, and their axes often have equal sizes: 2K = 2 slots beside two
coordinates, 2K slots beside as many rows. It then takes the wrong axis, without a word. Here
nothing is transposed, so that nothing has to be told apart.
"""

from collections.abc import Callable
from typing import Any

import numpy as np


class ClickEncoding:
    """A graph whose only input are the clicks, as a function of TensorFlow tensors."""

    def __init__(self, graph: Any) -> None:
        """Take an ONNX `GraphProto`, opset 17.

        Raises:
            RuntimeError: an operation that no click encoding has had so far.
        """
        from onnx import numpy_helper

        (self._input,) = (value.name for value in graph.input)
        self.outputs = [value.name for value in graph.output]
        self._constants = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
        self._nodes = list(graph.node)
        unknown = {node.op_type for node in self._nodes} - _operations().keys()
        if unknown:
            raise RuntimeError(f"the click encoding has the operation {min(unknown)}")

    def __call__(self, clicks: Any) -> dict[str, Any]:
        """Outputs by name, in the layout of the ONNX graph."""
        from onnx.helper import get_attribute_value

        known = {**self._constants, self._input: clicks}
        for node in self._nodes:
            attributes = {each.name: get_attribute_value(each) for each in node.attribute}
            inputs = [known[name] if name else None for name in node.input]
            known[node.output[0]] = _operations()[node.op_type](*inputs, **attributes)
        return {name: known[name] for name in self.outputs}


def _operations() -> dict[str, Callable[..., Any]]:
    """ONNX's operations by name; constants arrive as NumPy arrays."""
    import tensorflow as tf

    return {
        "Add": tf.add,
        "Cast": lambda x, to: tf.cast(x, _float32(to)),
        "Clip": lambda x, low, high: tf.minimum(tf.maximum(x, low), high),
        "Concat": lambda *parts, axis: tf.concat(parts, axis),
        "Div": tf.divide,
        "Gather": lambda x, indices, axis=0: tf.gather(x, indices, axis=axis),
        "Less": tf.less,
        "LessOrEqual": tf.less_equal,
        "MatMul": tf.matmul,
        "Max": tf.maximum,
        "MaxPool": _max_pool,
        "Mul": tf.multiply,
        "ReduceMin": lambda x, axes, keepdims=1: tf.reduce_min(x, axes, bool(keepdims)),
        "Relu": tf.nn.relu,
        "Reshape": lambda x, shape, allowzero=0: tf.reshape(x, shape),  # noqa: ARG005, no size is 0
        "Slice": _slice,
        "Sqrt": tf.sqrt,
        "Sub": tf.subtract,
        "Tanh": tf.tanh,
        "Transpose": lambda x, perm: tf.transpose(x, perm),
        "Unsqueeze": _unsqueeze,
        "Where": tf.where,
    }


def _float32(kind: int) -> Any:
    import tensorflow as tf
    from onnx import TensorProto

    if kind != TensorProto.FLOAT:
        raise RuntimeError(f"the click encoding has a cast to the ONNX type {kind}")
    return tf.float32


def _max_pool(x: Any, *, kernel_shape: list[int], strides: list[int], **others: Any) -> Any:
    """Of one column of windows, which leave no row out: a maximum per column."""
    import tensorflow as tf

    whole = [int(x.shape[2]), 1]
    if kernel_shape != whole or strides != whole or any(others.get("pads", ())):
        raise RuntimeError(f"the click encoding has a pooling of {kernel_shape} in {x.shape}")
    return tf.reduce_max(x, axis=2, keepdims=True)


def _slice(x: Any, starts: Any, ends: Any, axes: Any, steps: Any = None) -> Any:
    parts = [slice(None)] * len(x.shape)
    steps = np.ones_like(starts) if steps is None else steps
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        parts[int(axis)] = slice(int(start), min(int(end), x.shape[int(axis)]), int(step))
    return x[tuple(parts)]


def _unsqueeze(x: Any, axes: Any) -> Any:
    import tensorflow as tf

    shape = list(x.shape)
    for axis in sorted(int(axis) % (len(shape) + len(axes)) for axis in axes):
        shape.insert(axis, 1)
    return tf.reshape(x, shape)
