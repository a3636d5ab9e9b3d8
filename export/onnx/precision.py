"""ONNX below float32: half-precision weights, 8-bit integers with calibrated or dynamic ranges."""

import copy
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ritm_edge.files import scratch_folder
from ritm_edge.optional import require
from ritm_edge.runtimes.silence import without_warnings

from ..calibration import Inputs
from ..click_subgraph import find_click_subgraph
from ..export_input import ExportInput
from ..failures import explained
from ..layer_names import KEEP_FLOAT, Operation, find_layers, layer_of_weight, layers_of_operations
from .equalize import equalize_channels
from .graph import onnx_graph

# What runs in integers. Not Resize: ONNX Runtime's integer Resize truncates, which shifts every
# branch that is added to another; leaving it out raised the mask IoU from 0.95 to 0.98. Clip is
# ReLU6: taken for a layer of its own, what it cuts off would widen the range before it.
INTEGER_OPERATIONS = ("Conv", "Relu", "LeakyRelu", "Clip", "Add", "Concat")


def fp16_graph(source: ExportInput) -> Any:
    """Half the file: weights of convolutions in float16, widened once when the file is opened.

    Everything is computed in float32: x86 and most ARM builds of ONNX Runtime have no float16
    convolution and would convert back and forth around each one. Errors: as `onnx_graph`.
    """
    model = onnx_graph(source)
    weights_to_fp16(model)
    require("onnx", extra="onnx").checker.check_model(model)
    return model


def weights_to_fp16(model: Any) -> None:
    """Store the weights of convolutions and the matrices of resizes as float16 with a Cast behind,
    in place."""
    onnx = require("onnx", extra="onnx")
    weights = {node.input[1] for node in model.graph.node if node.op_type == "Conv"}
    weights |= {n for node in model.graph.node if node.op_type == "MatMul" for n in node.input}
    casts = []
    for tensor in model.graph.initializer:
        if tensor.name not in weights or tensor.data_type != onnx.TensorProto.FLOAT:
            continue
        values = onnx.numpy_helper.to_array(tensor)
        if np.abs(values).max() > np.finfo(np.float16).max:
            continue
        name = tensor.name
        tensor.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), f"{name}_half"))
        casts.append(
            onnx.helper.make_node("Cast", [tensor.name], [name], to=onnx.TensorProto.FLOAT)
        )
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def int8_graph(source: ExportInput) -> Any:
    """Static 8-bit integers: one scale per output channel of a weight, calibrated activations.

    Raises:
        ConversionError: a converter failed.
        UsageError: `source` names an unknown layer to keep.
    """
    model = named(onnx_graph(source))
    with quantizing():
        equalize_channels(model, source.calibration)
        ranges = measure_ranges(model, source.calibration)
        return quantize(model, ranges, keep_float=source.keep_float)


def int8_dynamic_graph(source: ExportInput) -> Any:
    """8-bit weights; the range of each activation is measured in every run.

    Errors: as `int8_graph`.
    """
    onnx = require("onnx", extra="onnx")
    quantization = require("onnxruntime.quantization", extra="onnx")
    model = named(onnx_graph(source))
    with scratch_folder() as folder:
        path = folder / "graph.onnx"
        onnx.save(model, path)
        with quantizing():
            quantization.quantize_dynamic(
                path,
                path,
                op_types_to_quantize=["Conv"],
                nodes_to_exclude=_floating(model, source.keep_float),
                weight_type=quantization.QuantType.QUInt8,
            )
        return onnx.load(path)


def named(model: Any) -> Any:
    """A copy of the model with known shapes and a name of its own for every operation."""
    model = require("onnx", extra="onnx").shape_inference.infer_shapes(model)
    for index, node in enumerate(model.graph.node):
        node.name = f"{index} {node.op_type}"
    return model


def measure_ranges(model: Any, inputs: Sequence[Inputs]) -> Any:
    """Smallest and largest value of every activation over the inputs.

    Args:
        model: from `named`.
        inputs: at least one.
    """
    calibrate = require("onnxruntime.quantization.calibrate", extra="onnx")
    with scratch_folder() as folder:
        source = folder / "calibrated.onnx"  # it takes files only
        require("onnx", extra="onnx").save(model, source)
        calibrator = calibrate.create_calibrator(
            source, INTEGER_OPERATIONS, augmented_model_path=str(folder / "observed.onnx")
        )
        calibrator.collect_data(_Reader(inputs))
        return calibrator.compute_data()


def quantize(
    model: Any,
    ranges: Any,
    *,
    keep_float: Iterable[str] = (),
    only: Iterable[str] | None = None,
) -> Any:
    """A copy of the model that computes in integers.

    Args:
        model: from `named`.
        ranges: from `measure_ranges`.
        keep_float: beginnings of the names of parameters whose layers stay in float32.
        only: names of the operations to quantise; None is all that can be.
    """
    quantization = require("onnxruntime.quantization", extra="onnx")
    excluded = _floating(model, keep_float)
    quantizer = quantization.QDQQuantizer(
        copy.deepcopy(model),
        per_channel=True,
        reduce_range=False,
        weight_qType=quantization.QuantType.QInt8,
        # Unsigned activations have integer kernels for every operation above; signed ones fall
        # back to slow code for some: 1.05 times the time of float32 instead of 0.54.
        activation_qType=quantization.QuantType.QUInt8,
        tensors_range=ranges,
        nodes_to_quantize=[] if only is None else [n for n in only if n not in excluded],
        nodes_to_exclude=excluded,
        op_types_to_quantize=list(INTEGER_OPERATIONS),
        extra_options={},
    )
    quantizer.quantize_model()
    quantizer.model.topological_sort()
    quantizer.model.clean_initializers()
    return quantizer.model.model


def layer_of(model: Any) -> dict[str, str]:
    """Name of each operation → parameter whose layer it belongs to."""
    return layers_of_operations(
        Operation(
            node.name,
            node.input,
            node.output,
            layer_of_weight(node.input[1]) if node.op_type == "Conv" else None,
        )
        for node in model.graph.node
    )


def _floating(model: Any, keep_float: Iterable[str]) -> list[str]:
    """Operations that stay in float32: the click encoding, and what the caller names.

    Raises:
        UsageError: a name that no layer begins with.
    """
    kept = {node.name for node in find_click_subgraph(model.graph).nodes}
    # Other models than those of the default list have other layers.
    return sorted(kept | find_layers(layer_of(model), keep_float, optional=KEEP_FLOAT))


class _Reader:
    """What the calibrator asks for its inputs."""

    def __init__(self, inputs: Sequence[Inputs]) -> None:
        self._inputs = iter(inputs)

    def get_next(self) -> Inputs | None:
        return next(self._inputs, None)


@contextmanager
def quantizing() -> Iterator[None]:
    """Silence ONNX Runtime's advice and turn its failures into ours."""
    version = "onnxruntime has the version"
    with explained("ONNX Runtime could not quantise the graph", version), without_warnings():
        yield
