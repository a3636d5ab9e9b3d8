"""ONNX: one self-contained file, opset 18."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from ritm_edge.artifacts.checksum import seal
from ritm_edge.artifacts.info import METADATA_KEY, Precision
from ritm_edge.files import write_output
from ritm_edge.optional import require
from ritm_edge.verification.parity import FP32_TOLERANCE

from ..export_input import ExportInput
from ..layer_names import KEEP_FLOAT
from ..onnx.graph import give_every_input, onnx_graph
from ..onnx.precision import fp16_graph, int8_dynamic_graph, int8_graph
from ..precision import FP16_TASK, INT8_TASK, ReducedPrecision
from ..rewrites import FOR_INTEGERS, NAMES, WITHOUT_MATRICES
from ..session_graphs.onnx import write_session_graphs
from ..target import Target


def convert(
    source: ExportInput, path: Path, *, make: Callable[[ExportInput], Any] = onnx_graph
) -> None:
    """Write a self-contained .onnx file; `make` decides the precision and raises the errors."""
    model = make(source)
    give_every_input(model)
    path.write_bytes(model.SerializeToString())


def stamp(path: Path, text: str) -> None:
    """Write the self-description, with its checksum, into the model's metadata properties."""
    onnx = require("onnx", extra="onnx")
    model = onnx.load(path)
    kept = {p.key: p.value for p in model.metadata_props if p.key != METADATA_KEY}
    onnx.helper.set_model_props(model, {**kept, METADATA_KEY: text})
    write_output(path, seal(model.SerializeToString()))


TARGETS = (
    Target(
        name="onnx",
        suffix=".onnx",
        tolerance=FP32_TOLERANCE,
        packages=("torch", "onnx", "onnxscript", "onnxsim"),
        convert=convert,
        stamp=stamp,
        any_size=True,
        rewrites=NAMES,
        add_session=write_session_graphs,
        precisions={
            Precision.FP16: ReducedPrecision(
                partial(convert, make=fp16_graph),
                FP16_TASK,
                any_size=True,
                rewrites=WITHOUT_MATRICES,
            ),
            Precision.INT8: ReducedPrecision(
                partial(convert, make=int8_graph),
                INT8_TASK,
                calibrated=True,
                keep_float=KEEP_FLOAT,
                any_size=True,
                rewrites=FOR_INTEGERS,
            ),
            Precision.INT8_DYNAMIC: ReducedPrecision(
                partial(convert, make=int8_dynamic_graph),
                INT8_TASK,
                keep_float=KEEP_FLOAT,
                any_size=True,
                rewrites=FOR_INTEGERS,
            ),
        },
    ),
)
