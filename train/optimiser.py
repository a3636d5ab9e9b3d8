"""Adam or AdamW with the published rates: which parameter gets which."""

import re

import torch
from torch import nn

from .config import OptimizerSettings

# What is new in the interactive model. Everything else comes with pre-trained weights, or is
# treated as if it did, as published: also HRNet's two 1×1 heads and the single convolution of
# Conv1E.
FULL_RATE = re.compile(
    r"(maps_transform\.\d+|rgb_conv|head|feature_extractor\."
    r"(conv3x3_ocr|ocr_gather_head|ocr_distri_head|aspp|skip_project|head|clicks|decoder))\."
)


def at_full_rate(name: str) -> bool:
    """Whether the parameter `name` of a model is trained at the full rate."""
    return FULL_RATE.match(name) is not None


def make_optimiser(
    model: nn.Module, settings: OptimizerSettings, *, fused: bool = False, captured: bool = False
) -> torch.optim.Adam:
    """The optimiser, with one group at the full and one at the backbone's rate.

    Each group has its factor on the rate in "multiplier", for `set_rate`. A `fused` one takes no
    step where its attribute `found_inf` is 1, which nobody has to read. One that is `captured` in
    a CUDA graph has its rates on the GPU.
    """
    groups = []
    for full, multiplier in ((True, 1.0), (False, settings.backbone_lr_multiplier)):
        parameters = [p for name, p in model.named_parameters() if at_full_rate(name) is full]
        rate = settings.lr * multiplier
        groups.append({"params": parameters, "lr": rate, "multiplier": multiplier})
    made = torch.optim.AdamW if settings.kind == "adamw" else torch.optim.Adam
    decay = settings.weight_decay
    optimiser = made(groups, lr=settings.lr, betas=settings.betas, weight_decay=decay, fused=fused)
    run_as(optimiser, fused=fused, captured=captured)
    return optimiser


def run_as(optimiser: torch.optim.Optimizer, *, fused: bool, captured: bool) -> None:
    """Choose how steps are computed, whatever a checkpoint says; see `make_optimiser`."""
    for group in optimiser.param_groups:
        rate = float(group["lr"])
        on_gpu = torch.tensor(rate, device=group["params"][0].device) if captured else rate
        group.update(fused=fused, capturable=captured, lr=on_gpu)


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Give every group `rate` times its multiplier."""
    for group in optimiser.param_groups:
        if isinstance(group["lr"], torch.Tensor):
            group["lr"].fill_(rate * group["multiplier"])
        else:
            group["lr"] = rate * group["multiplier"]
