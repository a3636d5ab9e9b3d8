"""PyTorch to a simplified ONNX graph: the ONNX target itself and the first half of TFLite."""

from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor, nn

from ritm_edge.errors import ConversionError
from ritm_edge.io_spec import IMAGE, MASK, PREV_MASK
from ritm_edge.optional import require

from ..export_input import ExportInput
from ..failures import explained
from ..quiet import quiet

# 18 is what the dynamo exporter writes natively; newer ones need a down-conversion for onnx2tf.
OPSET = 18
_made: WeakKeyDictionary[nn.Module, dict[Any, bytes]] = WeakKeyDictionary()


def onnx_graph(source: ExportInput) -> Any:
    """One self-contained ONNX `ModelProto` with the given input and output names.

    Each call returns a copy of its own; the same graph is not traced twice.

    Raises:
        ConversionError: the exporter or the simplifier failed.
    """
    onnx = require("onnx", extra="onnx")
    key = (source.output_names, source.any_size)
    made = _made.setdefault(source.graph, {})
    if key not in made:
        made[key] = _trace(source).SerializeToString()
    return onnx.ModelProto.FromString(made[key])


def _trace(source: ExportInput) -> Any:
    onnx = require("onnx", extra="onnx")
    require("onnxscript", extra="onnx")
    simplifier = require("onnxsim", extra="onnx")
    versions = "torch, onnx and onnxscript have the versions"
    with explained("the ONNX exporter failed", versions), quiet():
        program = torch.onnx.export(
            source.graph.eval(),
            kwargs=source.example,
            input_names=list(source.example),
            output_names=list(source.output_names),
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            dynamic_shapes=_dynamic_shapes(source.example) if source.any_size else None,
            verbose=False,
        )
        assert program is not None  # only other exporter modes return nothing
        model, ok = simplifier.simplify(program.model_proto)
    if not ok:
        raise ConversionError(
            "onnxsim could not validate the simplified graph: check its version in constraints.txt."
        )
    if source.any_size:
        _name_dimensions(model)
    onnx.checker.check_model(model, full_check=True)
    return model


def give_every_input(model: Any) -> None:
    """Let resizes of known size have all inputs, in place.

    ONNX Runtime's check of graphs for mobile engines takes an input that is left out for one of
    unknown shape, and cuts the graph there.
    """
    onnx = require("onnx", extra="onnx")
    graph = model.graph
    shapes = {
        value.name: [d.dim_value for d in value.type.tensor_type.shape.dim]
        for value in onnx.shape_inference.infer_shapes(model).graph.value_info
    }
    for node in graph.node:
        sizes = [shapes.get(name, [0]) for name in (node.input[0], node.output[0])]
        if node.op_type == "Resize" and len(node.input) == 4 and all(map(all, sizes)):
            scales = [_scale(*pair) for pair in zip(*sizes, strict=True)]
            # The region is not looked at in this mode of coordinates.
            region = [0.0] * len(scales) + [1.0] * len(scales)
            for kind, values in (("region", region), ("scales", scales)):
                tensor = np.asarray(values, np.float32)
                name = f"{node.output[0]}_{kind}"
                graph.initializer.append(onnx.numpy_helper.from_array(tensor, name))
            del node.input[1:]
            node.input.extend(f"{node.output[0]}_{kind}" for kind in ("region", "scales"))


def _scale(before: int, after: int) -> np.float32:
    """The smallest one, at or above the quotient, with which the size comes out whole."""
    scale = np.float32(after / before)
    while np.floor(np.float32(before) * scale) < after:
        scale = np.nextafter(scale, np.float32(np.inf))
    return scale


def _dynamic_shapes(example: dict[str, Tensor]) -> dict[str, Any]:
    # At least 32: below that the coarsest of HRNet's branches has no pixel left to resize.
    height = torch.export.Dim("height", min=32, max=4096)
    width = torch.export.Dim("width", min=32, max=4096)
    return {name: {2: height, 3: width} if name in (IMAGE, PREV_MASK) else None for name in example}


def _name_dimensions(model: Any) -> None:
    """The output has the size of the image; shape inference may have lost that."""
    for value in model.graph.output:
        if value.name == MASK:
            for axis, name in ((2, "height"), (3, "width")):
                value.type.tensor_type.shape.dim[axis].dim_param = name
