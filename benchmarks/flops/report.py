"""`bench flops`: what the paper's Table 4 counts, and what each artifact executes.

A results file is one object:

    kind              "ritm-edge flops"
    format_version    1
    size              [H, W] in pixels of everything of any size
    conventions       what "published_flops" and "flops" count, in words
    models            one per network of Table 4:
      model, decoder_channels   as in `ModelConfig`
      all_parameters            trainable values
      published_flops           by the convention of the paper's figure
      paper_flops               the paper's figure, or null where it has none
      parameters, macs, flops, kinds    what PyTorch executes (`Count.as_dict`)
    artifacts         one per file and signature:
      file, runtime, signature, model, precision, size, max_clicks, file_bytes
      parameters, macs, flops, kinds    what the file's graph executes
    versions          of the packages
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ritm_edge.errors import UnsupportedOperationError
from ritm_edge.files import size_in_bytes
from ritm_edge.io_spec import CLICKS, EMPTY_SLOT, IOSpec
from ritm_edge.model.ritm import ModelConfig
from ritm_edge.runtimes.base import Runtime, open_runtime, precision_of

from ..machine import describe_versions
from ..published import published
from .convention import Count
from .executorch import count_executorch
from .mlprogram import count_mlprogram
from .ncnn import count_ncnn
from .onnx import count_onnx
from .openvino import count_openvino
from .pytorch import count_model
from .tflite import count_tflite

KIND = "ritm-edge flops"
FORMAT_VERSION = 1
DEFAULT_SIZE = (400, 400)
CONVENTIONS = {
    "published_flops": (
        "Twice a MAC count: convolutions with their biases, matrix products, 2 for each element "
        "of a batch normalisation, 1 for each input of a global mean. ReLU, resize, additions and "
        "click maps are not counted. One click of each sign."
    ),
    "flops": (
        "Everything that is executed: 2 for a MAC; 1 for a bias, a sum, a product, a comparison, "
        "a ReLU or a reduced element; 2 for a clamp or leaky ReLU; 4 for a sigmoid or a batch "
        "normalisation; 5 for a softmax; 7 for a bilinear resize, each per element. Moving data "
        "is free."
    ),
}
# Those of Table 4 and ours; ResNet-50 comes twice: the paper's figure belongs to a decoder of 128
# channels.
NETWORKS = (
    ("hrnet18s", None),
    ("hrnet18", None),
    ("hrnet32", None),
    ("deeplab_r34", None),
    ("deeplab_r50", 128),
    ("deeplab_r50", None),
    ("lite0", None),
)


def measure_models(size: tuple[int, int] = DEFAULT_SIZE) -> list[dict[str, Any]]:
    """The networks of Table 4 with one click of each sign, as the module describes."""
    return [
        model_row(ModelConfig(name, decoder_channels=channels), size) for name, channels in NETWORKS
    ]


def model_row(config: ModelConfig, size: tuple[int, int]) -> dict[str, Any]:
    """One network with one click of each sign, as the module describes."""
    counted = count_model(config, size)
    paper = {(r["model"], r["decoder_channels"]): r["flops"] for r in published()["flops"]["rows"]}
    network = (config.name, config.decoder_channels)
    return {
        "model": config.name,
        "decoder_channels": config.decoder_channels,
        "all_parameters": counted.parameters,
        "published_flops": counted.published_flops,
        "paper_flops": paper.get(network) if size == DEFAULT_SIZE else None,
        **counted.count.as_dict(),
    }


def measure_artifact(
    path: Path, size: tuple[int, int] = DEFAULT_SIZE, *, allow_changed: bool = False
) -> list[dict[str, Any]]:
    """Count what one file executes: .onnx, .tflite, .mlpackage, .openvino, .ncnn, .pte, or a
    checkpoint, which PyTorch executes; at `size` (height, width) where it takes any. Returns one
    row per signature, as the module describes. Raises InputFileError: a missing or broken file;
    UnsupportedOperationError: an operation without a convention."""
    runtime = open_runtime(path, allow_changed=allow_changed)
    spec = runtime.spec
    size = spec.size or size
    slots = spec.max_clicks or 1
    config = getattr(getattr(runtime, "model", None), "config", None)
    info = runtime.info
    return [
        {
            "file": Path(path).name,
            "runtime": runtime.name,
            "signature": signature,
            "model": config.name if config is not None else info and info.model.get("name"),
            "precision": precision_of(runtime),
            "size": list(size),
            "max_clicks": slots,
            "file_bytes": size_in_bytes(path),
            **count.as_dict(),
        }
        for signature, count in _count(runtime, config, spec, size, slots).items()
    ]


def _count(
    runtime: Runtime, config: ModelConfig | None, spec: IOSpec, size: tuple[int, int], slots: int
) -> dict[str | None, Count]:
    if config is not None:
        return {None: count_model(config, size, max_clicks=slots).count}
    path = Path(runtime.label)
    if runtime.name == "tflite":
        counts = count_tflite(path)
        return {name if len(counts) > 1 else None: count for name, count in counts.items()}
    if runtime.name == "onnx":
        shapes: dict[str, Any] = replace(spec, max_clicks=slots).shapes(size)
        empty = {name: EMPTY_SLOT if name == CLICKS else 0 for name in spec.input_names}
        inputs = {n: np.full(shapes[n], value, np.float32) for n, value in empty.items()}
        return {None: count_onnx(path, inputs)}
    count = {
        "coreml": count_mlprogram,
        "openvino": count_openvino,
        "ncnn": count_ncnn,
        "executorch": count_executorch,
    }
    if runtime.name in count:
        return {None: count[runtime.name](path)}
    raise UnsupportedOperationError(
        f"bench flops cannot read what {runtime.name} runs ({runtime.label}): leave the file out."
    )


def as_document(
    models: Sequence[dict[str, Any]],
    artifacts: Sequence[dict[str, Any]],
    size: tuple[int, int] = DEFAULT_SIZE,
) -> dict[str, Any]:
    """Everything a command measured, as the module describes."""
    return {
        "kind": KIND,
        "format_version": FORMAT_VERSION,
        "size": list(size),
        "conventions": CONVENTIONS,
        "models": list(models),
        "artifacts": list(artifacts),
        "versions": describe_versions(),
    }
