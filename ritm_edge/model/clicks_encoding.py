"""Click maps: the only place where clicks become pixels (section 3.1 of the paper)."""

import torch
from torch import Tensor

from ..errors import ShapeError

# A coordinate far outside any image: its squared distance (1e12) exceeds every radius and is
# exactly representable in float32. Upstream's constant for an empty slot is d² = 1e6; both make
# an empty disk map 0 and an empty distance map exactly 1.0f.
FAR_AWAY = 1.0e6


def squared_distances(clicks: Tensor, height: int, width: int) -> Tensor:
    """Squared distance of every pixel to the nearest click of each sign.

    Args:
        clicks: [B, 2K, 3] (row, column, order) in pixels of the H×W grid whose pixels sit at
            integer coordinates; fractions are used as they are. The first K slots are positive,
            the rest negative. A slot is empty when row **and** column are negative: one negative
            coordinate alone is a click outside the image whose disk may still be visible.
            float64 and integer clicks are subtracted in their own precision.
        height: H, pixels.
        width: W, pixels.

    Returns:
        float32 [B, 2, H, W], pixels²; channel 0 positive, channel 1 negative; at least
        FAR_AWAY² / 4 where a sign has no click.

    Raises:
        ShapeError: `clicks` is not [B, 2K, 3] with K ≥ 1.
    """
    if clicks.ndim != 3 or clicks.shape[2] != 3 or clicks.shape[1] < 2 or clicks.shape[1] % 2:
        raise ShapeError(
            f"clicks have the shape {list(clicks.shape)}: pass [batch, 2*K, 3] with K >= 1, "
            "K positive slots first and K negative slots after them."
        )
    rows, columns = clicks[:, :, 0], clicks[:, :, 1]
    empty = torch.maximum(rows, columns) < 0
    rows = torch.where(empty, torch.full_like(rows, FAR_AWAY), rows)
    grid_rows = torch.arange(height, dtype=torch.float32, device=clicks.device)
    grid_columns = torch.arange(width, dtype=torch.float32, device=clicks.device)
    # [B, 2K, H] and [B, 2K, W]: the two axes are independent until the final sum.
    row_offsets = (grid_rows - rows[:, :, None]).float()
    column_offsets = (grid_columns - columns[:, :, None]).float()
    squared = (row_offsets * row_offsets)[:, :, :, None] + (column_offsets * column_offsets)[
        :, :, None, :
    ]
    slots = clicks.shape[1] // 2
    positive = squared[:, :slots].amin(dim=1, keepdim=True)
    negative = squared[:, slots:].amin(dim=1, keepdim=True)
    return torch.cat((positive, negative), dim=1)


def disk_maps(clicks: Tensor, *, height: int, width: int, radius: float = 5.0) -> Tensor:
    """Draw clicks as disks.

    Args:
        clicks: as in `squared_distances`.
        height: H, pixels.
        width: W, pixels.
        radius: pixels of the network input; the boundary belongs to the disk, so that an
            interior integer click with radius 5 covers 81 pixels.

    Returns:
        float32 [B, 2, H, W], exactly 0.0 or 1.0.

    ExportInput: section 3.1 and Table 1 of the paper.
    """
    return (squared_distances(clicks, height, width) <= radius**2).to(torch.float32)


def distance_maps(clicks: Tensor, *, height: int, width: int, norm_radius: float = 260.0) -> Tensor:
    """Draw clicks as tanh(2 d / norm_radius).

    Args:
        clicks: as in `squared_distances`.
        height: H, pixels.
        width: W, pixels.
        norm_radius: pixels; 260 is the published value.

    Returns:
        float32 [B, 2, H, W] in 0…1; 0 at a click, 1 far away or where a sign has no click.
    """
    # The published order of operations (divide the squares, then the root) decides the last bit.
    squared = squared_distances(clicks, height, width)
    return torch.tanh(torch.sqrt(squared / (norm_radius * norm_radius)) * 2.0)
