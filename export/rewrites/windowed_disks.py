"""Disks from the few rows that each one can reach, without comparisons and safe in float16.

The baseline graph computes one squared distance per slot and pixel. A disk touches fewer than
`period` rows, so among image rows that are a multiple of `period` apart it can touch only the
nearest one. Per slot and remainder one row of squared distances is therefore enough; a product with
"which rows are near this click" puts it in its place and unites the slots of a sign.

Bit-equal, not just close: a covered pixel is decided by the same float32 subtraction, squares and
sum as in `disk_maps`, only scaled by a power of two. Devices that compute in float16 move a disk by
no more than the rounding of its coordinates: offsets are clamped a little above the radius before
they are squared, no value exceeds `LARGEST`, and none that matters is below float16's normal
numbers. The operations are those that NNAPI, Core ML and LiteRT's GPU accelerator know.
"""

import math

import numpy as np
import torch
from torch import Tensor, nn

from ritm_edge.io_spec import IOSpec

from .graph import RewritableGraph, Rewrite, is_fixed

# With larger disks the rows become as many as those of the image and save nothing.
MAX_RADIUS = 16
LARGEST = 60_000.0  # float16 ends at 65,504
SMALLEST = 2.0**-13  # float16's normal numbers begin at 2⁻¹⁴
SQUARE_ROOTS = 4  # of the smallest float32, 2⁻¹⁴⁹, four leave 2⁻⁹ or more


class WindowedDisks(nn.Module):
    """Clicks [B, 2K, 3] to disk maps [B, 2, H, W], exactly 0.0 or 1.0; see `disk_maps`."""

    def __init__(self, radius: float) -> None:
        super().__init__()
        self.reach = math.floor(radius + 0.5) + 1  # farther offsets are clamped to this
        # Where one of two rows so far apart is within the radius, the other is beyond the reach.
        self.period = math.ceil(radius + self.reach)
        # The largest power of two with which the sum of two squares stays below the limit.
        self.scale = 2.0 ** math.floor(math.log2(math.sqrt(LARGEST / 2) / self.reach))
        self.limit = float(np.float32(radius**2)) * self.scale**2
        # Sums of squares above the limit exceed it by this at least.
        self.step = float(np.spacing(np.float32(self.limit)))

    def forward(self, clicks: Tensor, height: int, width: int) -> Tensor:
        batch, slots = clicks.shape[0], clicks.shape[1]
        if is_fixed(height):
            height = int(height)  # while TorchScript is traced, sizes are tensors
        groups = (height + self.period - 1) // self.period
        padded = groups * self.period
        by_row = self._minus_squares(clicks[:, :, 0:1], padded)
        by_column = self._minus_squares(clicks[:, :, 1:2], width)
        grouped = by_row.reshape(batch, slots, groups, self.period)
        if is_fixed(height):
            nearest = torch.max_pool2d(grouped, (groups, 1), (groups, 1))
        else:
            nearest = grouped.amax(dim=2, keepdim=True)
        # [B, period, 2K, W]: the step where a pixel of the nearest row is covered, else 0.
        squared = nearest.permute(0, 3, 1, 2) + by_column.reshape(batch, 1, slots, width)
        covered = torch.clamp((squared + self.limit) + self.step, 0.0, self.step)
        near = self._near(by_row, clicks).reshape(batch, slots, 2 * groups, self.period)
        united = torch.matmul(near.transpose(1, 3), covered)
        disks = torch.clamp(united * (1.0 / self.step), 0.0, 1.0)
        return disks.transpose(1, 2).reshape(batch, 2, padded, width)[:, :, :height]

    def _minus_squares(self, places: Tensor, length: int) -> Tensor:
        """[B, 2K, 1] to [B, 2K, length]: −(scale · clamped offset)² of each pixel."""
        pixels = torch.arange(length, dtype=torch.float32, device=places.device)
        offsets = torch.clamp(pixels - places, -self.reach, self.reach)
        return (offsets * self.scale) * (offsets * -self.scale)

    def _near(self, by_row: Tensor, clicks: Tensor) -> Tensor:
        """1 where a row may be touched, else 0: [B, 2K, 2 · rows], one half for each sign."""
        outside = torch.relu(clicks[:, :, 0:2] * -1.0)
        for _ in range(SQUARE_ROOTS):
            outside = torch.sqrt(outside)
        outside = torch.clamp(outside * 1024.0, 0.0, 1.0)
        filled = 1.0 - outside[:, :, 0:1] * outside[:, :, 1:2]
        near = torch.clamp(by_row + (self.reach * self.scale) ** 2, 0.0, 1.0) * filled
        slots = clicks.shape[1] // 2
        positive = torch.cat((torch.ones(slots, 1), torch.zeros(slots, 1)))
        return torch.cat((near * positive, near * (1.0 - positive)), dim=2)


def apply(graph: RewritableGraph, spec: IOSpec) -> bool:  # noqa: ARG001, the size does not matter
    """Replace the encoder of a model with small disks."""
    config = graph.model.config
    if config.encoding != "disk" or config.radius > MAX_RADIUS:
        return False
    disks = WindowedDisks(config.radius)
    if disks.step < SMALLEST:
        return False
    graph.encode_clicks = disks
    return True


REWRITE = Rewrite("windowed_disks", apply)
