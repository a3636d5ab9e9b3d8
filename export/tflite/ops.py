"""Replaces operations of onnx2tf that guess the layout of their inputs from their shapes.

Its Add "rescues" every sum of two NHWC tensors by transposing both to the NCHW shape that ONNX
declares; its Concat then tries permutations until the shapes fit; its MatMul transposes images, and
picks the wrong axes of square ones. Each guess costs transposes at run time, and is silently wrong
where channels, height and width are equal. In a network whose images are NHWC from the first
operation on, nothing needs to be guessed.
"""

import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Any

Layers = dict[str, Any]
MOST_JOINED = 4  # XNNPACK leaves a concatenation of more to others and is cut in two


def replace_guessing_operations() -> None:
    """Register the replacements; onnx2tf finds an operation by its module's name."""
    for name, compute in _replacements().items():
        module = import_module(f"onnx2tf.ops.{name}")
        if not isinstance(module, _Replacement):
            sys.modules[module.__name__] = _Replacement(module, compute)


def _replacements() -> dict[str, Callable[[Any, Layers], Any]]:
    import tensorflow as tf

    of_two = {"Add": tf.add, "Sub": tf.subtract, "Mul": tf.multiply, "Div": tf.divide}
    elementwise = {name: partial(_elementwise, compute) for name, compute in of_two.items()}
    return {**elementwise, "Concat": _concat, "MatMul": _matmul}


class _Replacement(ModuleType):
    """Stands in for a module of `onnx2tf.ops`, and asks it where inputs are not images."""

    def __init__(self, original: ModuleType, compute: Callable[[Any, Layers], Any]) -> None:
        super().__init__(original.__name__)
        self._original, self._compute = original, compute

    def make_node(self, *, graph_node: Any, tf_layers_dict: Layers, **options: Any) -> None:
        result = self._compute(graph_node, tf_layers_dict)
        if result is None:
            self._original.make_node(
                graph_node=graph_node, tf_layers_dict=tf_layers_dict, **options
            )
            return
        output = graph_node.outputs[0]
        tf_layers_dict[output.name] = {
            "optype": graph_node.op,
            "shape": output.shape,
            "dtype": output.dtype,
            "nhwc": True,
            "before_op_output_shape_trans": True,
            "tf_node": result,
        }


def _nhwc_image(value: Any, layers: Layers) -> Any | None:
    """The TensorFlow tensor of a computed NHWC image, else None."""
    entry = layers.get(value.name)
    if entry is None or value.shape is None or len(value.shape) != 4:
        return None
    batch, channels, height, width = value.shape
    if tuple(entry["tf_node"].shape) != (batch, height, width, channels):
        return None
    return entry["tf_node"]


def _nhwc_images(graph_node: Any, layers: Layers) -> list[Any] | None:
    """The tensors of a node whose inputs are all computed NHWC images, else None."""
    images = [_nhwc_image(value, layers) for value in graph_node.inputs]
    return None if any(image is None for image in images) else images


def _elementwise(compute: Callable[..., Any], graph_node: Any, layers: Layers) -> Any | None:
    """Of two images, or of one and a constant that ONNX spreads over it."""
    constants = [_nhwc_constant(value) for value in graph_node.inputs]
    images = [_nhwc_image(value, layers) for value in graph_node.inputs]
    operands = [c if i is None else i for c, i in zip(constants, images, strict=True)]
    if any(each is None for each in operands) or not any(i is not None for i in images):
        return None
    return compute(*operands, name=graph_node.name)


def _nhwc_constant(value: Any) -> Any | None:
    """A constant with four axes, channels last; None of what is computed."""
    if not hasattr(value, "values"):
        return None
    array = value.values
    return array.reshape((1,) * (4 - array.ndim) + array.shape).transpose(0, 2, 3, 1)


def _concat(graph_node: Any, layers: Layers) -> Any | None:
    import tensorflow as tf

    images = _nhwc_images(graph_node, layers)
    nhwc_axis = (0, 3, 1, 2)[graph_node.attrs["axis"]]
    if images is None:
        return None
    while len(images) > MOST_JOINED:
        images = [tf.concat(images[:MOST_JOINED], axis=nhwc_axis), *images[MOST_JOINED:]]
    return tf.concat(images, axis=nhwc_axis, name=graph_node.name)


def _matmul(graph_node: Any, layers: Layers) -> Any | None:
    """An image times a constant matrix, along its height (matrix first) or its width."""
    import tensorflow as tf

    first, second = graph_node.inputs
    matrix = next((v.values for v in (first, second) if hasattr(v, "values")), None)
    image = _nhwc_image(second if hasattr(first, "values") else first, layers)
    if matrix is None or image is None or matrix.ndim != 2 or image.shape[0] != 1:
        return None
    _, height, width, channels = image.shape
    # LiteRT's GPU accelerator takes a product whose right side is computed only where the left one
    # is too: this zero makes it so.
    zero = tf.minimum(tf.nn.relu(image[:, :1, :1, :1]), 0.0)
    if hasattr(first, "values"):
        # Of four axes, since it computes products of two axes wrong.
        columns = tf.reshape(image, (1, 1, height, width * channels))
        left = tf.constant(matrix[None, None]) + zero
        product = tf.matmul(left, columns, name=graph_node.name)
        return tf.reshape(product, (1, matrix.shape[0], width, channels))
    return tf.matmul(tf.constant(matrix.T[None, None]) + zero, image, name=graph_node.name)
