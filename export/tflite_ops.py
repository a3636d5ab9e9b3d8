"""Replaces two operations of onnx2tf that guess the layout of their inputs from their shapes.

Its Add "rescues" every sum of two NHWC tensors by transposing both to the NCHW shape that ONNX
declares; its Concat then tries permutations until the shapes fit. Each guess costs transposes at
run time, and is silently wrong where channels, height and width are equal. In a network whose
images are NHWC from the first operation on, nothing needs to be guessed.
"""

import sys
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any


def replace_guessing_operations() -> None:
    """Register the replacements; onnx2tf finds an operation by its module's name."""
    for name, compute in (("Add", _add), ("Concat", _concat)):
        module = import_module(f"onnx2tf.ops.{name}")
        if not isinstance(module, _Replacement):
            sys.modules[module.__name__] = _Replacement(module, compute)


class _Replacement(ModuleType):
    """Stands in for a module of `onnx2tf.ops`, and asks it where inputs are not images."""

    def __init__(self, original: ModuleType, compute: Callable[[list[Any], Any], Any]) -> None:
        super().__init__(original.__name__)
        self._original, self._compute = original, compute

    def make_node(self, *, graph_node: Any, tf_layers_dict: dict[str, Any], **options: Any) -> None:
        images = _nhwc_images(graph_node, tf_layers_dict)
        if images is None:
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
            "tf_node": self._compute(images, graph_node),
        }


def _nhwc_images(graph_node: Any, tf_layers_dict: dict[str, Any]) -> list[Any] | None:
    """The TensorFlow tensors of a node whose inputs are all computed NHWC images, else None."""
    tensors = []
    for value in graph_node.inputs:
        entry = tf_layers_dict.get(value.name)
        if entry is None or value.shape is None or len(value.shape) != 4:
            return None
        batch, channels, height, width = value.shape
        if tuple(entry["tf_node"].shape) != (batch, height, width, channels):
            return None
        tensors.append(entry["tf_node"])
    return tensors


def _add(images: list[Any], graph_node: Any) -> Any:
    import tensorflow as tf

    return tf.math.add(*images, name=graph_node.name)


def _concat(images: list[Any], graph_node: Any) -> Any:
    import tensorflow as tf

    nhwc_axis = (0, 3, 1, 2)[graph_node.attrs["axis"]]
    return tf.concat(images, axis=nhwc_axis, name=graph_node.name)
