"""Means over all pixels as means over rows and then over columns, whose parts float16 can hold.

The softmax over all pixels gives most of them weights below float16's smallest normal number, which
devices may take for zero, and a sum over all pixels passes its largest. Here the largest weight is
1 or more, each sum has one term per row or column, and the division comes last.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ritm_edge.io_spec import IOSpec
from ritm_edge.model.hrnet import HRNetOCR

from .graph import RewritableGraph, Rewrite, is_fixed

SMALLEST_NORMAL = 2.0**-14  # of float16


class TwoStageMean(nn.Module):
    """`AdaptiveAvgPool2d(1)`: [B, C, H, W] to [B, C, 1, 1]."""

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        if not is_fixed(height):
            return x.mean(3, keepdim=True).mean(2, keepdim=True)
        return F.avg_pool2d(F.avg_pool2d(x, (1, int(width))), (int(height), 1))


class ContextByMeans(nn.Module):
    """`gather_context` for one class: [B, C, H, W] and [B, 1, H, W] to [B, C, 1, 1]."""

    def __init__(self) -> None:
        super().__init__()
        self.mean = TwoStageMean()

    def forward(self, features: Tensor, logits: Tensor) -> Tensor:
        below = logits - _highest(logits)
        # The exponential function, which Core ML's provider in ONNX Runtime does not know.
        weights = torch.sigmoid(below) / torch.sigmoid(below * -1.0)
        height, width = logits.shape[2:]
        # So that their mean is a normal number even where all but one are zero.
        scale = int(height) * int(width) * SMALLEST_NORMAL if is_fixed(height) else 1.0
        if scale > 1.0:
            weights = weights * scale
        context: Tensor = self.mean(features * weights) / self.mean(weights)
        return context


def _highest(logits: Tensor) -> Tensor:
    """[B, 1, H, W] to [B, 1, 1, 1]."""
    height, width = logits.shape[2:]
    if not is_fixed(height):
        return logits.amax((2, 3), keepdim=True)
    by_row = F.max_pool2d(logits, (1, int(width)), (1, int(width)))
    return F.max_pool2d(by_row, (int(height), 1), (int(height), 1))


def apply(graph: RewritableGraph, spec: IOSpec) -> bool:  # noqa: ARG001, the size does not matter
    """Replace the context of an HRNet with one class, and every mean over a whole map."""
    replaced = 0
    for module in list(graph.modules()):
        if isinstance(module, HRNetOCR) and module.cls_head.out_channels == 1:
            module.gather_context = ContextByMeans()
            replaced += 1
        for name, child in list(module.named_children()):
            if isinstance(child, nn.AdaptiveAvgPool2d):
                setattr(module, name, TwoStageMean())
                replaced += 1
    return replaced > 0


REWRITE = Rewrite("two_stage_means", apply)
