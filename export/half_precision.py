"""What half-precision devices make of an artifact: its graph, emulated."""

from typing import Any

from ritm_edge.artifacts.info import ArtifactInfo, Precision
from ritm_edge.errors import MissingExtraError, UsageError
from ritm_edge.evaluation.labelled_photos import sample_objects
from ritm_edge.io_spec import DEFAULT_SIZE, MASK
from ritm_edge.model.export_graph import example_inputs
from ritm_edge.runtimes.pytorch import PytorchRuntime
from ritm_edge.verification.acceptance import CLICKS
from ritm_edge.verification.half_precision import GATE_MODE, EmulatedDevice, HalfReport, judge

from .export_input import ExportInput
from .onnx.graph import onnx_graph
from .rewrites import rewrite

FLOAT = (Precision.FP32, Precision.FP16)
MANY_PIXELS = 512 * 512  # beyond them one click takes as long as an export should


def examine(
    source: ExportInput, reference: PytorchRuntime, info: ArtifactInfo
) -> HalfReport | None:
    """One mode on one object of the sample photo, at the artifact's own size.

    Returns:
        None for integers, and where the ONNX exporter is not installed.
    """
    if info.precision not in FLOAT:
        return None
    try:
        device = EmulatedDevice(onnx_graph(source), info.io, GATE_MODE)
    except MissingExtraError:
        return None
    height, width = info.io.size or DEFAULT_SIZE
    clicks = CLICKS[:2] if height * width <= MANY_PIXELS else CLICKS[:1]
    return judge(device, reference, sample_objects()[:1], clicks=clicks)


def float_graph(reference: PytorchRuntime, info: ArtifactInfo) -> Any:
    """The ONNX `ModelProto`, with the artifact's own rewrites, that stands for it.

    Raises:
        UsageError: the artifact computes in integers.
        ConversionError, MissingExtraError: as their names say.
    """
    if info.precision not in FLOAT:
        raise UsageError(
            f"an artifact of precision {info.precision} computes in integers, and half precision "
            "is not emulated for it: pass one in fp32 or fp16."
        )
    graph, _ = rewrite(reference.model, info.io, info.rewrites)
    any_size = info.io.size is None
    return onnx_graph(ExportInput(graph, example_inputs(info.io), (MASK,), any_size=any_size))
