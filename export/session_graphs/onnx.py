"""Session graphs as .onnx files beside the network, for photos and screens of any size."""

import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from ritm_edge.errors import ConversionError, first_line
from ritm_edge.optional import require
from ritm_edge.runtimes.onnx import SESSION_SUFFIX

from ..onnx.graph import OPSET
from ..quiet import quiet
from .steps import Step, StepSettings, all_steps

# Lengths to trace with; no two alike, so that none is taken for another.
EXAMPLE = {"pixels": 45 * 61, "rows": 37, "columns": 53}


def _against(function: Any) -> Any:
    return lambda a, b: function(a, torch.as_tensor(b, dtype=a.dtype))


TORCH = SimpleNamespace(
    floor=torch.floor, round=torch.round, sqrt=torch.sqrt, where=torch.where,
    minimum=_against(torch.minimum), maximum=_against(torch.maximum),
    concat=torch.cat, reshape=torch.reshape, transpose=torch.t, flip=lambda x, a: x.flip(a),
    max=lambda values, axis: torch.amax(values, axis, keepdim=True),
    min=lambda values, axis: torch.amin(values, axis, keepdim=True),
    # Gathers bytes as bytes: a photo in float32 would be four times its size.
    rows=lambda values, at: torch.embedding(values, at.to(torch.int32)),
    vector=lambda *numbers: torch.tensor(numbers, dtype=torch.float32),
    arange=lambda count: torch.arange(count, dtype=torch.float32),
    integer=lambda x: x.to(torch.int32), number=lambda x: x.to(torch.float32),
    byte=lambda x: x.to(torch.uint8), channels_first=lambda x: x.permute(2, 0, 1),
)  # fmt: skip


class _Graph(nn.Module):
    def __init__(self, step: Step, settings: StepSettings) -> None:
        super().__init__()
        self.step, self.settings = step, settings

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        given = dict(zip(self.step.inputs, tensors, strict=True))
        return self.step.compute(TORCH, self.settings, given)


def write_session_graphs(settings: StepSettings, path: Path) -> dict[str, Any]:
    """Write every graph as NAME.onnx into the folder beside the network at `path`.

    Returns:
        What the self-description says of them: their checksums.

    Raises:
        ConversionError: the exporter failed.
    """
    folder = path.with_suffix(SESSION_SUFFIX)
    folder.mkdir()
    files = {}
    for name, step in all_steps(settings).items():
        content = _convert(name, step, settings)
        (folder / f"{name}.onnx").write_bytes(content)
        files[name] = hashlib.sha256(content).hexdigest()
    return {"files": files}


def _convert(name: str, step: Step, settings: StepSettings) -> bytes:
    onnx = require("onnx", extra="onnx")
    example, shapes = [], []
    for kind, shape in step.inputs.values():
        lengths = [EXAMPLE[n] if isinstance(n, str) else n for n in shape]
        example.append(torch.zeros(lengths, dtype=getattr(torch, kind)))
        shapes.append({i: torch.export.Dim(n) for i, n in enumerate(shape) if isinstance(n, str)})
    try:
        with quiet(), torch.no_grad():
            program = torch.onnx.export(
                _Graph(step, settings).eval(), tuple(example),
                input_names=list(step.inputs), output_names=list(step.outputs),
                dynamic_shapes=(tuple(shapes),) if any(shapes) else None,
                opset_version=OPSET, dynamo=True, external_data=False, verbose=False,
            )  # fmt: skip
        assert program is not None  # only other exporter modes return nothing
        model = program.model_proto
        for node in model.graph.node:
            del node.metadata_props[:]  # where in our code it comes from: half of the file
        onnx.checker.check_model(model, full_check=True)
        return bytes(model.SerializeToString())
    except Exception as error:  # any converter exception is a failed conversion
        raise ConversionError(
            f"the ONNX exporter failed on the session graph {name} ({type(error).__name__}: "
            f"{first_line(error)}): check the versions of constraints.txt, or leave out --session."
        ) from error
