"""Rewrites an opset-18 ONNX graph to opset 17, the newest that onnx2tf converts correctly.

onnx2tf honours `align_corners` of Resize up to opset 17 only; from 18 on it silently resizes with
half-pixel centres, and every mask is wrong. The ONNX version converter has no way down for Resize.
"""

from collections.abc import Mapping
from typing import Any

from ritm_edge.errors import ConversionError
from ritm_edge.optional import require

OPSET = 17
# Attributes that opset 18 added; with these values they mean what opset 17 does anyway.
NEW_RESIZE_ATTRIBUTES: Mapping[str, Any] = {"antialias": 0, "keep_aspect_ratio_policy": b"stretch"}
PAD_INPUTS = 3  # opset 18 added a fourth
NEW_REDUCTION_ATTRIBUTE = "noop_with_empty_axes"
REDUCTIONS = ("ReduceMin", "ReduceMax", "ReduceMean", "ReduceProd")


def lower_opset(model: Any) -> None:
    """Rewrite an ONNX `ModelProto` of opset 18 or lower in place.

    Raises:
        ConversionError: an operation that opset 17 does not have or defines in another way.
    """
    onnx = require("onnx", extra="tflite")
    (opset,) = (entry for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    if opset.version <= OPSET:
        return
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Resize":
            _lower_resize(onnx, node)
        elif node.op_type in REDUCTIONS:
            _lower_reduction(onnx, node, constants)
        elif node.op_type == "Pad":
            if len(node.input) > PAD_INPUTS:
                raise _unsupported(node, "got the input 'axes'")
        elif onnx.defs.get_schema(node.op_type, opset.version).since_version > OPSET:
            raise _unsupported(node, "changed")
    opset.version = OPSET
    onnx.checker.check_model(model)


def _lower_resize(onnx: Any, node: Any) -> None:
    kept = []
    for attribute in node.attribute:
        value = onnx.helper.get_attribute_value(attribute)
        if attribute.name == "axes":
            raise _unsupported(node, "got the attribute 'axes'")
        if attribute.name not in NEW_RESIZE_ATTRIBUTES:
            kept.append(attribute)
        elif value != NEW_RESIZE_ATTRIBUTES[attribute.name]:
            raise _unsupported(node, f"got {attribute.name}={value!r}")
    del node.attribute[:]
    node.attribute.extend(kept)


def _lower_reduction(onnx: Any, node: Any, constants: Mapping[str, Any]) -> None:
    # With axes given, this attribute of opset 18 means nothing.
    for attribute in [a for a in node.attribute if a.name == NEW_REDUCTION_ATTRIBUTE]:
        if len(node.input) < 2 and attribute.i:
            raise _unsupported(node, f"got {NEW_REDUCTION_ATTRIBUTE}=1")
        node.attribute.remove(attribute)
    if len(node.input) < 2:
        return
    if node.input[1] not in constants:
        raise _unsupported(node, "takes computed axes")
    axes = onnx.numpy_helper.to_array(constants[node.input[1]]).tolist()
    del node.input[1:]
    node.attribute.append(onnx.helper.make_attribute("axes", axes))


def _unsupported(node: Any, what: str) -> ConversionError:
    return ConversionError(
        f"the ONNX operation {node.op_type} ({node.name}) {what} in opset 18, which cannot be "
        "lowered for onnx2tf: export with the versions of constraints.txt."
    )
