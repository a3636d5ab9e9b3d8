"""ExecuTorch: one .pte file of static shape, whose kernels on a CPU are XNNPACK's."""

from functools import partial
from pathlib import Path
from typing import Any

import torch

from ritm_edge.artifacts.executorch import BLANK_DESCRIPTION, stamp
from ritm_edge.artifacts.info import METADATA_KEY, Precision
from ritm_edge.files import write_output
from ritm_edge.optional import require
from ritm_edge.verification.parity import FP32_TOLERANCE

from ..export_input import ExportInput
from ..failures import explained
from ..layer_names import KEEP_FLOAT, Operation, find_layers, layer_of_weight, layers_of_operations
from ..precision import INT8_TASK, ReducedPrecision
from ..quiet import quiet
from ..rewrites import FOR_INTEGERS, WITHOUT_MATRICES
from ..target import Target

DECISION = "quantization_annotation"  # where a quantiser notes what becomes of an operation


def convert(source: ExportInput, path: Path, *, integers: bool = False) -> None:
    """Write a .pte file of static shape, with convolutions in calibrated 8-bit integers where
    `integers` says so. Raises ConversionError: the exporter failed; MissingExtraError: ExecuTorch
    is not installed; UsageError: `source` names an unknown layer to keep."""
    versions = "torch, executorch and torchao have the versions"
    with explained("ExecuTorch could not convert the graph", versions), quiet():
        exir = require("executorch.exir", extra="executorch")
        xnnpack = require(
            "executorch.backends.xnnpack.partition.xnnpack_partitioner", extra="executorch"
        )
        program = _export(source.graph.eval(), source)
        if integers:
            program = _export(_quantize(program.module(), source), source)
        lowered = exir.to_edge_transform_and_lower(
            program,
            partitioner=[xnnpack.XnnpackPartitioner()],
            constant_methods={METADATA_KEY: BLANK_DESCRIPTION},
        )
        content = lowered.to_executorch().buffer
    write_output(path, content)


def _export(graph: torch.nn.Module, source: ExportInput) -> Any:
    return torch.export.export(graph, (), kwargs=source.example, strict=True)


def _quantize(graph: Any, source: ExportInput) -> Any:
    """The exported graph with observed ranges, one scale per output channel of a weight."""
    pt2e = require("torchao.quantization.pt2e.quantize_pt2e", extra="executorch")
    xnnpack = require("executorch.backends.xnnpack.quantizer.xnnpack_quantizer", extra="executorch")
    annotations = require("torchao.quantization.pt2e.quantizer", extra="executorch")
    # As if it had decided about them: its filter function is not asked about concatenations.
    for node in _floating(graph, source):
        node.meta[DECISION] = annotations.QuantizationAnnotation(_annotated=True)
    quantizer = xnnpack.XNNPACKQuantizer()
    quantizer.set_global(xnnpack.get_symmetric_quantization_config(is_per_channel=True))
    prepared = pt2e.prepare_pt2e(graph, quantizer)
    with torch.no_grad():
        for inputs in source.calibration:
            prepared(**{name: torch.from_numpy(inputs[name]) for name in source.example})
    return pt2e.convert_pt2e(prepared)


def _floating(graph: Any, source: ExportInput) -> set[Any]:
    """Operations that stay in float32: what comes before the first convolutions, with the click
    encoding, and the layers that `source` names."""
    calls = [node for node in graph.graph.nodes if node.op == "call_function"]
    layers = layers_of_operations(
        Operation(node, node.all_input_nodes, (node,), _layer(node)) for node in calls
    )
    kept = find_layers(layers, source.keep_float, optional=KEEP_FLOAT)
    return kept | {node for node in calls if node not in layers}


def _layer(node: Any) -> str | None:
    """The layer that an operation is, if it is a convolution."""
    if node.target is not torch.ops.aten.conv2d.default:
        return None
    return layer_of_weight(str(node.args[1].target))


TARGETS = (
    Target(
        name="executorch",
        suffix=".pte",
        tolerance=FP32_TOLERANCE,
        packages=("torch", "executorch", "torchao"),
        convert=convert,
        stamp=stamp,
        rewrites=WITHOUT_MATRICES,
        precisions={
            Precision.INT8: ReducedPrecision(
                partial(convert, integers=True),
                INT8_TASK,
                calibrated=True,
                keep_float=KEEP_FLOAT,
                rewrites=FOR_INTEGERS,
            )
        },
    ),
)
