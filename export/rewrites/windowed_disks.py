"""Disks from the few rows that each one can reach, instead of from every pixel.

The baseline graph computes one squared distance per slot and pixel. A disk of radius r touches at
most 2⌈r⌉ + 2 rows: here distances are computed in these rows only, and a product with a matrix of
zeros and ones puts the rows where they belong and unites the slots of a sign.

Bit-equal, not just close: a covered pixel is decided by the same float32 subtraction, squares and
sum, and everything after that only tells zero from positive.
"""

import math

import numpy as np
import torch
from torch import Tensor, nn

from ritm_edge.io_spec import IOSpec
from ritm_edge.model.clicks_encoding import FAR_AWAY

from .graph import RewritableGraph, Rewrite

# With larger disks the windows become as large as the image and save nothing.
MAX_RADIUS = 16


class WindowedDisks(nn.Module):
    """Clicks [B, 2K, 3] to disk maps [B, 2, H, W], exactly 0.0 or 1.0; see `disk_maps`."""

    offsets: Tensor

    def __init__(self, radius: float) -> None:
        super().__init__()
        reach = math.ceil(radius)
        # From ⌊row⌋ − reach to ⌊row⌋ + 1 + reach: rounding to float32 may let a pixel just beyond
        # the radius count as on it, never one that is a whole pixel farther.
        self.register_buffer("offsets", torch.arange(-reach, reach + 2, dtype=torch.float32))
        limit = np.float32(radius**2)
        # s ≤ limit exactly where (next float above limit) − s is positive: a subtraction of two
        # different floats is never zero.
        self.above = float(np.nextafter(limit, np.float32(np.inf)))

    def forward(self, clicks: Tensor, height: int, width: int) -> Tensor:
        batch, slots = clicks.shape[0], clicks.shape[1] // 2
        rows, columns = clicks[:, :, 0], clicks[:, :, 1]
        empty = torch.maximum(rows, columns) < 0
        rows = torch.where(empty, torch.full_like(rows, FAR_AWAY), rows)
        window = torch.floor(rows)[:, :, None] + self.offsets
        row_offsets = window - rows[:, :, None]
        column_offsets = torch.arange(width, dtype=torch.float32) - columns[:, :, None]
        squared = (row_offsets * row_offsets)[:, :, :, None] + (column_offsets * column_offsets)[
            :, :, None, :
        ]
        covered = torch.relu(self.above - squared).reshape(batch, 2, -1, width)
        # 1 − |difference of whole numbers| is positive only where they are equal.
        image_rows = torch.arange(height, dtype=torch.float32)[:, None]
        window = window.reshape(batch, 2, 1, slots * len(self.offsets))
        places = torch.relu(1.0 - torch.abs(image_rows - window))
        return torch.clamp(torch.ceil(torch.matmul(places, covered)), max=1.0)


def apply(graph: RewritableGraph, spec: IOSpec) -> bool:  # noqa: ARG001, the size does not matter
    """Replace the encoder of a model with small disks."""
    config = graph.model.config
    if config.encoding != "disk" or config.radius > MAX_RADIUS:
        return False
    graph.encode_clicks = WindowedDisks(config.radius)
    return True


REWRITE = Rewrite("windowed_disks", apply)
