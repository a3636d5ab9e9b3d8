"""How much layers lose in 8-bit integers: each is quantised alone and the masks are compared."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ritm_edge.artifacts.info import Precision
from ritm_edge.io_spec import MASK, IOSpec
from ritm_edge.model.export_graph import example_inputs
from ritm_edge.runtimes.onnx import open_session
from ritm_edge.runtimes.pytorch import PytorchRuntime
from ritm_edge.verification.parity import compare_masks

from .calibration import Inputs, record_calibration
from .export_input import ExportInput
from .onnx.equalize import equalize_channels
from .onnx.graph import onnx_graph
from .onnx.precision import layer_of, measure_ranges, named, quantize, quantizing
from .registry import find_target
from .rewrites import rewrite

# One in this many recorded inputs is compared, over all objects.
EVERY = 5
# How many parts of a name make a layer: a block of a stage, a module of a head.
DEPTH = 4

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class LayerLoss:
    """What integers in a single layer (the beginning of its parameters' names, which `--keep-float`
    takes) change in the result: mean absolute difference of a probability, and mean IoU with the
    float32 mask."""

    layer: str
    mean_abs: float
    mask_iou: float


def measure_sensitivity(
    reference: PytorchRuntime,
    spec: IOSpec,
    folder: Path | None = None,
    *,
    progress: Progress | None = None,
) -> list[LayerLoss]:
    """All layers of the ONNX target's graph of a fixed size, the most sensitive first, measured on
    the photos of `folder` (see `record_calibration`). Raises ConversionError: a converter failed;
    InputFileError, ImageError: the folder has no usable photos."""
    inputs = record_calibration(reference, spec, folder).inputs
    compared = inputs[::EVERY]
    rewrites = find_target("onnx").precisions[Precision.INT8].rewrites
    graph, _ = rewrite(reference.model, spec, rewrites)
    model = named(onnx_graph(ExportInput(graph, example_inputs(spec), (MASK,))))
    with quantizing():
        equalize_channels(model, inputs)
        ranges = measure_ranges(model, inputs)
        expected = _run(model, compared)
        members: dict[str, list[str]] = {}
        for name, parameter in layer_of(model).items():
            members.setdefault(".".join(parameter.split(".")[:DEPTH]), []).append(name)
        found = []
        for number, (layer, operations) in enumerate(members.items(), 1):
            masks = _run(quantize(model, ranges, only=operations), compared)
            cases = [compare_masks("", *pair) for pair in zip(masks, expected, strict=True)]
            mean_abs, ious = ([getattr(c, key) for c in cases] for key in ("mean_abs", "mask_iou"))
            found.append(LayerLoss(layer, float(np.mean(mean_abs)), float(np.mean(ious))))
            if progress is not None:
                progress(number, len(members))
    return sorted(found, key=lambda loss: loss.mean_abs, reverse=True)


def _run(model: Any, inputs: Sequence[Inputs]) -> list[NDArray[np.float32]]:
    session = open_session(model.SerializeToString())
    return [session.run([MASK], each)[0] for each in inputs]
