"""Runs a checkpoint with PyTorch: the reference of every other runtime."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..io_spec import CLICKS, IMAGE, MASK, MASK_LOGITS, PREV_MASK, IOSpec
from ..optional import require
from .base import FileRuntime, ModelFile, Outputs

if TYPE_CHECKING:
    from ..model.ritm import RitmModel

SUFFIXES = (".pth", ".safetensors")


class PytorchRuntime(FileRuntime):
    """Eager execution in float32, where the model is.

    Clicks keep their own type: float64 is subtracted in float64.
    """

    name = "pytorch"
    parallel = True

    def __init__(self, model: "RitmModel", file: ModelFile | Path) -> None:
        """Wrap a model that is in eval mode; `file` says where its weights are from."""
        file = ModelFile(file) if isinstance(file, Path) else file
        super().__init__(file, IOSpec(max_clicks=None, prev_mask=model.config.prev_mask))
        self.model = model

    def _compute(self, arrays: dict[str, NDArray[Any]]) -> Outputs:
        """Also returns "mask_logits"."""
        import torch

        device = next(self.model.parameters()).device
        image = torch.from_numpy(np.asarray(arrays[IMAGE], np.float32)).to(device) / 255.0
        clicks = torch.from_numpy(np.ascontiguousarray(arrays[CLICKS])).to(device)
        prev_mask = None
        if self.spec.prev_mask:
            prev_mask = torch.from_numpy(np.asarray(arrays[PREV_MASK], np.float32)).to(device)
        with torch.inference_mode():
            logits = self.model(image, clicks, prev_mask).mask_logits
            mask = torch.sigmoid(logits)
        return {MASK: mask.cpu().numpy(), MASK_LOGITS: logits.cpu().numpy()}


def open_file(file: ModelFile) -> PytorchRuntime:
    """See `open_runtime`; `threads` holds for the whole process, as PyTorch has it."""
    torch = require("torch", extra="torch")
    from ..model.checkpoint import load_checkpoint

    if file.threads is not None:
        torch.set_num_threads(file.threads)
    return PytorchRuntime(load_checkpoint(file.path, allow_changed=file.allow_changed), file)
