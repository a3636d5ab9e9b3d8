"""PyTorch to a simplified ONNX graph: the ONNX target itself and the first half of TFLite."""

from typing import Any

import torch
from torch import Tensor

from ritm_edge.errors import ConversionError, first_line
from ritm_edge.io_spec import IMAGE, MASK, PREV_MASK
from ritm_edge.optional import require

from ..export_input import ExportInput
from ..quiet import quiet

# 18 is what the dynamo exporter writes natively; newer ones need a down-conversion for onnx2tf.
OPSET = 18


def onnx_graph(source: ExportInput) -> Any:
    """One self-contained ONNX `ModelProto` with the given input and output names.

    Raises:
        ConversionError: the exporter or the simplifier failed.
    """
    onnx = require("onnx", extra="onnx")
    require("onnxscript", extra="onnx")
    simplifier = require("onnxsim", extra="onnx")
    try:
        with quiet():
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
    except Exception as error:  # any converter exception is a failed conversion
        raise ConversionError(
            f"the ONNX exporter failed ({type(error).__name__}: {first_line(error)}): check that "
            "torch, onnx and onnxscript have the versions of constraints.txt."
        ) from error
    if not ok:
        raise ConversionError(
            "onnxsim could not validate the simplified graph: check its version in constraints.txt."
        )
    if source.any_size:
        _name_dimensions(model)
    onnx.checker.check_model(model, full_check=True)
    return model


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
