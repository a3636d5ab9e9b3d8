"""OpenVINO: its intermediate representation, read from our ONNX graph of the same precision."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from ritm_edge.artifacts.info import Precision
from ritm_edge.artifacts.openvino import OpenVinoFile
from ritm_edge.files import atomic_output, scratch_folder
from ritm_edge.runtimes.openvino import import_openvino
from ritm_edge.verification.parity import FP32_TOLERANCE

from ..export_input import ExportInput
from ..failures import explained
from ..layer_names import KEEP_FLOAT
from ..onnx.graph import onnx_graph
from ..onnx.precision import fp16_graph, int8_graph
from ..precision import FP16_TASK, INT8_TASK, ReducedPrecision
from ..rewrites import FOR_INTEGERS, WITHOUT_MATRICES
from ..target import Target


def convert(
    source: ExportInput, path: Path, *, make: Callable[[ExportInput], Any] = onnx_graph
) -> None:
    """Write an .openvino file of static shape; `make` makes the ONNX graph, which decides the
    precision. Raises ConversionError: a converter failed; MissingExtraError: OpenVINO is not
    installed."""
    # Through the core's reader, not `openvino.convert_model`, whose telemetry reports conversions.
    openvino = import_openvino()
    with scratch_folder() as folder:
        onnx, graph, weights = (folder / n for n in ("m.onnx", "m.xml", "m.bin"))
        onnx.write_bytes(make(source).SerializeToString())
        with explained("OpenVINO could not read the ONNX graph", "openvino has the version"):
            # What should be half precision is already; compressing here would take the clicks too.
            model = openvino.Core().read_model(onnx)
            openvino.save_model(model, graph, compress_to_fp16=False)
        with atomic_output(path) as temporary:
            OpenVinoFile(graph.read_bytes(), weights.read_bytes()).write(temporary)


TARGETS = (
    Target(
        name="openvino",
        suffix=OpenVinoFile.SUFFIX,
        tolerance=FP32_TOLERANCE,
        packages=("torch", "onnx", "onnxscript", "onnxsim", "onnxruntime", "openvino"),
        convert=convert,
        stamp=OpenVinoFile.stamp,
        rewrites=WITHOUT_MATRICES,
        precisions={
            Precision.FP16: ReducedPrecision(
                partial(convert, make=fp16_graph), FP16_TASK, rewrites=WITHOUT_MATRICES
            ),
            Precision.INT8: ReducedPrecision(
                partial(convert, make=int8_graph),
                INT8_TASK,
                calibrated=True,
                keep_float=KEEP_FLOAT,
                rewrites=FOR_INTEGERS,
            ),
        },
    ),
)
