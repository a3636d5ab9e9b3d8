"""ncnn: its layers and weights, made by pnnx from TorchScript."""

import io
import subprocess
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from ritm_edge.artifacts.info import Precision
from ritm_edge.artifacts.ncnn import INPUT, SHAPE_KEYS, Layer, NcnnFile, format_layers, parse_layers
from ritm_edge.errors import ConversionError
from ritm_edge.files import atomic_output, scratch_folder
from ritm_edge.optional import require
from ritm_edge.verification.parity import FP32_TOLERANCE

from ..arithmetic_trace import trace
from ..export_input import ExportInput
from ..precision import FP16_TASK, ReducedPrecision
from ..rewrites import FOLD_AND_DROP
from ..target import Target


def convert(source: ExportInput, path: Path, *, half_weights: bool = False) -> None:
    """Write an .ncnn file of static shape, with the weights of convolutions in half precision where
    `half_weights` says so; nothing else is. Raises ConversionError: pnnx failed, or wrote layers
    that ncnn does not have; MissingExtraError: pnnx or ncnn is not installed."""
    ncnn = require("ncnn", extra="ncnn")
    with scratch_folder() as folder:
        text, weights = _run_pnnx(source, folder, half_weights)
    layers = [_with_contract(layer, source) for layer in parse_layers(text)]
    unknown = sorted({layer.kind for layer in layers if ncnn.layer_to_index(layer.kind) < 0})
    if unknown:
        raise ConversionError(
            f"ncnn has no layer for {', '.join(unknown)}: choose another target for this model."
        )
    with atomic_output(path) as temporary:
        NcnnFile(format_layers(layers).encode(), weights).write(temporary)


def _run_pnnx(source: ExportInput, folder: Path, half_weights: bool) -> tuple[str, bytes]:
    program = require("pnnx", extra="ncnn").EXEC_PATH
    shapes = ",".join(
        f"[{','.join(map(str, tensor.shape))}]f32" for tensor in source.example.values()
    )
    try:
        # In memory first: torch's own file writer ends the process where the disk is full.
        torch.jit.save(trace(source.graph, source.example), content := io.BytesIO())
        (folder / "model.pt").write_bytes(content.getbuffer())
        # Names without a folder: all that it writes goes to where it runs.
        subprocess.run(
            [program, "model.pt", f"inputshape={shapes}", f"fp16={int(half_weights)}"],
            cwd=folder,
            capture_output=True,
            check=True,
        )
        return (folder / "model.ncnn.param").read_text(), (folder / "model.ncnn.bin").read_bytes()
    except (RuntimeError, OSError, subprocess.SubprocessError) as error:
        raise ConversionError(
            f"pnnx failed ({type(error).__name__}): check that torch and pnnx have the versions of "
            "constraints.txt."
        ) from error


def _with_contract(layer: Layer, source: ExportInput) -> Layer:
    """Names instead of in0, in1, … and out0, …; inputs with their shapes."""
    names = {f"in{index}": name for index, name in enumerate(source.example)}
    names |= {f"out{index}": name for index, name in enumerate(source.output_names)}
    layer = replace(
        layer,
        inputs=tuple(names.get(each, each) for each in layer.inputs),
        outputs=tuple(names.get(each, each) for each in layer.outputs),
    )
    if layer.kind != INPUT:
        return layer
    (name,) = layer.outputs
    shape = map(str, reversed(source.example[name].shape[1:]))
    return replace(layer, name=name, settings=dict(zip(SHAPE_KEYS, shape, strict=False)))


TARGETS = (
    Target(
        name="ncnn",
        suffix=NcnnFile.SUFFIX,
        tolerance=FP32_TOLERANCE,
        packages=("torch", "pnnx", "ncnn"),
        convert=convert,
        stamp=NcnnFile.stamp,
        precisions={
            Precision.FP16: ReducedPrecision(
                partial(convert, half_weights=True), FP16_TASK, rewrites=FOLD_AND_DROP
            )
        },
        rewrites=FOLD_AND_DROP,
    ),
)
