"""ONNX: one self-contained file, opset 18."""

from pathlib import Path

from ritm_edge.artifacts.checksum import seal
from ritm_edge.artifacts.info import METADATA_KEY
from ritm_edge.files import atomic_output
from ritm_edge.optional import require
from ritm_edge.verification.parity import FP32_TOLERANCE

from ..layer_names import KEEP_FLOAT
from ..onnx.graph import export_onnx
from ..onnx.precision import convert_fp16, convert_int8, convert_int8_dynamic
from ..precision import FP16_TASK, INT8_TASK, ReducedPrecision
from ..precision_names import FP16, INT8, INT8_DYNAMIC
from ..rewrites import NAMES, WITHOUT_MATRICES
from ..target import Target


def stamp(path: Path, text: str) -> None:
    """Write the self-description, with its checksum, into the model's metadata properties."""
    onnx = require("onnx", extra="onnx")
    model = onnx.load(path)
    kept = [p for p in model.metadata_props if p.key != METADATA_KEY]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    entry = model.metadata_props.add()
    entry.key, entry.value = METADATA_KEY, text
    with atomic_output(path) as temporary:
        temporary.write_bytes(seal(model.SerializeToString()))


TARGETS = (
    Target(
        name="onnx",
        suffix=".onnx",
        tolerance=FP32_TOLERANCE,
        packages=("torch", "onnx", "onnxscript", "onnxsim"),
        convert=export_onnx,
        stamp=stamp,
        any_size=True,
        rewrites=NAMES,
        precisions={
            FP16: ReducedPrecision(
                convert_fp16, FP16_TASK, any_size=True, rewrites=WITHOUT_MATRICES
            ),
            INT8: ReducedPrecision(
                convert_int8,
                INT8_TASK,
                calibrated=True,
                keep_float=KEEP_FLOAT,
                any_size=True,
                rewrites=WITHOUT_MATRICES,
            ),
            INT8_DYNAMIC: ReducedPrecision(
                convert_int8_dynamic,
                INT8_TASK,
                keep_float=KEEP_FLOAT,
                any_size=True,
                rewrites=WITHOUT_MATRICES,
            ),
        },
    ),
)
