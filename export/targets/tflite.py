"""TFLite: one file, NHWC, static shapes, called by names (`runSignature`)."""

import shutil
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ritm_edge.artifacts.checksum import seal
from ritm_edge.artifacts.info import METADATA_KEY, Precision
from ritm_edge.artifacts.tflite import read_flatbuffer
from ritm_edge.errors import ConversionError, UsageError
from ritm_edge.files import atomic_output, scratch_folder, write_output
from ritm_edge.optional import require
from ritm_edge.verification.parity import FP32_TOLERANCE

from ..export_input import ExportInput
from ..layer_names import KEEP_FLOAT, find_layers, layer_of_weight
from ..onnx.equalize import equalize_channels
from ..onnx.graph import onnx_graph
from ..onnx.precision import quantizing
from ..precision import FP16_TASK, INT8_TASK, ReducedPrecision
from ..rewrites import FOLD_AND_DROP, FOR_INTEGERS, WITHOUT_MATRICES
from ..session_graphs.tflite import add_session_graphs
from ..target import Target
from ..tflite.flatbuffer import name_tensors, pack, set_metadata, unpack
from ..tflite.fp16 import weights_to_fp16
from ..tflite.int8 import KEPT
from ..tflite.onnx_passes import lower_opset
from ..tflite.process import run_worker
from ..tflite.split import split_at_click_maps

WORKER = "ritm_edge.export.tflite.worker"
INTEGER_REWRITES = tuple(name for name in FOR_INTEGERS if name in FOLD_AND_DROP)


def convert(source: ExportInput, path: Path, *, precision: Precision = Precision.FP32) -> None:
    """Write a .tflite file through ONNX and onnx2tf.

    Args:
        source: inputs and outputs of four axes become NHWC, clicks stay [1, 2K, 3].
        precision: "fp16" halves the weights of convolutions, "int8" computes in calibrated
            integers, "int8-dynamic" measures the ranges of activations in every run.

    Raises:
        ConversionError: a converter failed; the message holds the reason it gave.
        MissingExtraError: a converter is not installed.
        UsageError: an unknown layer to keep in float32, or any with dynamic ranges, which
            TensorFlow's converter uses for every layer.
    """
    if source.keep_float and precision != Precision.INT8:
        raise UsageError(
            f"{precision} of the target tflite keeps no layer in float32: leave out --keep-float, "
            f"or take --precision {Precision.INT8}."
        )
    for module in ("onnx2tf", "tensorflow", "ai_edge_litert", "flatbuffers"):
        if find_spec(module) is None:  # TensorFlow is imported in the worker only
            require(module, extra="tflite")
    with scratch_folder() as folder:
        graph = onnx_graph(source)
        settings = {}
        if precision == Precision.INT8:
            graph = require("onnx", extra="tflite").shape_inference.infer_shapes(graph)
            settings = _integer_settings(source, graph)
        lower_opset(graph)
        parts = []
        for number, part in enumerate(split_at_click_maps(graph)):
            parts.append(folder / f"part{number}.onnx")
            parts[-1].write_bytes(part.SerializeToString())
        job, converted = (folder / f"graph.{suffix}" for suffix in ("npz", "tflite"))
        in_worker = Precision.FP32 if precision == Precision.FP16 else precision
        np.savez(job, precision=in_worker, **settings)
        reason = run_worker(WORKER, converted, job, *parts, makes=converted)
        if reason is not None:
            raise ConversionError(
                f"onnx2tf could not convert the graph ({reason}): check that onnx2tf and "
                "tensorflow have the versions of constraints.txt, or try a smaller --size."
            )
        model = unpack(converted.read_bytes())
    if precision == Precision.FP16:
        weights_to_fp16(model)
    name_tensors(model)
    write_output(path, pack(model))


def _integer_settings(source: ExportInput, model: Any) -> dict[str, Any]:
    """Make an ONNX graph of known shapes ready for integers; what the worker must know."""
    layers = {
        n.input[1]: layer_of_weight(n.input[1]) for n in model.graph.node if n.op_type == "Conv"
    }
    kept = find_layers(layers, source.keep_float, optional=KEEP_FLOAT)
    with quantizing():
        equalize_channels(model, source.calibration)
    to_array = require("onnx", extra="tflite").numpy_helper.to_array
    weights = {KEPT + t.name: to_array(t) for t in model.graph.initializer if t.name in kept}
    recorded = {
        name: np.stack([inputs[name] for inputs in source.calibration]) for name in source.example
    }
    return {**weights, **recorded}


def stamp(path: Path, text: str) -> None:
    """Write the self-description, with its checksum, into the file's metadata. Raises
    ArtifactError: `path` was not written by `convert`, or is damaged."""
    model = unpack(read_flatbuffer(path, allow_changed=True))
    set_metadata(model, METADATA_KEY, text)
    with atomic_output(path) as temporary:
        temporary.write_bytes(seal(pack(model)))
        shutil.copymode(path, temporary)


TARGETS = (
    Target(
        name="tflite",
        suffix=".tflite",
        tolerance=FP32_TOLERANCE,
        packages=("torch", "onnx", "onnx2tf", "tensorflow", "ai-edge-litert"),
        convert=convert,
        stamp=stamp,
        rewrites=WITHOUT_MATRICES,
        add_session=add_session_graphs,
        precisions={
            Precision.FP16: ReducedPrecision(
                partial(convert, precision=Precision.FP16), FP16_TASK, rewrites=WITHOUT_MATRICES
            ),
            Precision.INT8: ReducedPrecision(
                partial(convert, precision=Precision.INT8),
                INT8_TASK,
                calibrated=True,
                keep_float=KEEP_FLOAT,
                rewrites=INTEGER_REWRITES,
            ),
            Precision.INT8_DYNAMIC: ReducedPrecision(
                partial(convert, precision=Precision.INT8_DYNAMIC),
                INT8_TASK,
                rewrites=INTEGER_REWRITES,
            ),
        },
    ),
)
