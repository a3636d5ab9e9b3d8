"""Means over all pixels as means over rows and then over columns, whose parts float16 can hold.

The softmax over all pixels gives most of them weights below float16's smallest normal number, which
devices may take for zero, and a sum over all pixels passes its largest. Here the weights stay
between 0 and 1, each sum has one term per row or column, and the division comes last.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ritm_edge.io_spec import IOSpec
from ritm_edge.model.hrnet import HRNetOCR

from .graph import RewritableGraph, Rewrite


class RowMeans(nn.Module):
    """[B, C, H, W] to [B, C, H, 1].

    Args:
        pooled: by pooling, which more devices know; it needs a plain number for W.
    """

    def __init__(self, *, pooled: bool) -> None:
        super().__init__()
        self.pooled = pooled

    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(x, (1, int(x.shape[3]))) if self.pooled else x.mean(3, keepdim=True)


class TwoStageMean(nn.Module):
    """`AdaptiveAvgPool2d(1)`: [B, C, H, W] to [B, C, 1, 1]."""

    def __init__(self, *, pooled: bool) -> None:
        super().__init__()
        self.rows = RowMeans(pooled=pooled)

    def forward(self, x: Tensor) -> Tensor:
        means: Tensor = self.rows(x)
        if self.rows.pooled:
            return F.avg_pool2d(means, (int(x.shape[2]), 1))
        return means.mean(2, keepdim=True)


class ContextByMeans(nn.Module):
    """`gather_context` for one class: [B, C, H, W] and [B, 1, H, W] to [B, C, 1, 1]."""

    def __init__(self, *, pooled: bool) -> None:
        super().__init__()
        self.rows = RowMeans(pooled=pooled)

    def forward(self, features: Tensor, logits: Tensor) -> Tensor:
        below = logits - self._highest(logits)
        # The exponential function, which Core ML's provider in ONNX Runtime does not know.
        weights = torch.sigmoid(below) / torch.sigmoid(below * -1.0)
        return self._sum(self.rows(features * weights)) / self._sum(self.rows(weights))

    def _highest(self, logits: Tensor) -> Tensor:
        if not self.rows.pooled:
            return logits.amax((2, 3), keepdim=True)
        height, width = int(logits.shape[2]), int(logits.shape[3])
        by_row = F.max_pool2d(logits, (1, width), (1, width))
        return F.max_pool2d(by_row, (height, 1), (height, 1))

    def _sum(self, rows: Tensor) -> Tensor:
        """[B, C, H, 1] to [B, C, 1, 1]."""
        if not self.rows.pooled:
            return rows.sum(2, keepdim=True)
        ones = torch.ones(int(rows.shape[2]), 1, dtype=rows.dtype)
        return torch.matmul(rows.transpose(2, 3), ones)


def apply(graph: RewritableGraph, spec: IOSpec) -> bool:
    """Replace the context of an HRNet with one class, and every mean over a whole map."""
    pooled = spec.size is not None
    replaced = 0
    for module in list(graph.modules()):
        if isinstance(module, HRNetOCR) and module.cls_head.out_channels == 1:
            module.gather_context = ContextByMeans(pooled=pooled)
            replaced += 1
        for name, child in list(module.named_children()):
            if isinstance(child, nn.AdaptiveAvgPool2d):
                setattr(module, name, TwoStageMean(pooled=pooled))
                replaced += 1
    return replaced > 0


REWRITE = Rewrite("two_stage_means", apply)
