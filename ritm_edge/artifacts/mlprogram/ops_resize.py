"""Operations that resize the last two axes.

ExportInput: as in `ops_elementwise`; the sampling grids are those of its notes.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from .problems import FormatError, UnsupportedError
from .registry import FLOAT, operation

Scale = int | float
MAX_SIDE = 1 << 15


@operation(FLOAT)
def upsample_bilinear(
    x: Tensor,
    scale_factor_height: Scale | None = None,
    scale_factor_width: Scale | None = None,
    align_corners: bool = True,
    half_pixel_centers: bool | None = None,
) -> Tensor:
    """Output sizes are the floor of size × scale; the grid follows from the sizes alone."""
    size = _scaled(x, scale_factor_height, scale_factor_width)
    half_pixel = not align_corners if half_pixel_centers is None else half_pixel_centers
    if align_corners and half_pixel:
        raise UnsupportedError("upsample_bilinear with align_corners and half_pixel_centers")
    if align_corners:
        return _bilinear(x, size, "STRICT_ALIGN_CORNERS")
    return _bilinear(x, size, "UNALIGN_CORNERS" if half_pixel else "DEFAULT")


@operation(FLOAT)
def resize_bilinear(
    x: Tensor,
    target_size_height: int = 1,
    target_size_width: int = 1,
    sampling_mode: str = "DEFAULT",
) -> Tensor:
    return _bilinear(x, (target_size_height, target_size_width), sampling_mode)


@operation(FLOAT)
def upsample_nearest_neighbor(
    x: Tensor,
    scale_factor_height: Scale | None = None,
    scale_factor_width: Scale | None = None,
) -> Tensor:
    """Whole factors only: how others round is not specified."""
    height, width = _scaled(x, scale_factor_height, scale_factor_width)
    if height % x.shape[-2] or width % x.shape[-1]:
        raise UnsupportedError("upsample_nearest_neighbor with a fractional factor")
    x = x.repeat_interleave(height // x.shape[-2], dim=-2)
    return x.repeat_interleave(width // x.shape[-1], dim=-1)


def _scaled(x: Tensor, height: Scale | None, width: Scale | None) -> tuple[int, int]:
    if x.ndim < 3:
        raise FormatError(f"a resize of a tensor of rank {x.ndim}")
    factors = [1.0 if factor is None else float(factor) for factor in (height, width)]
    sides = [math.floor(size * factor) for size, factor in zip(x.shape[-2:], factors, strict=True)]
    return sides[0], sides[1]


def _bilinear(x: Tensor, size: tuple[int, int], mode: str) -> Tensor:
    if x.ndim < 3 or not all(1 <= side <= MAX_SIDE for side in size):
        raise FormatError(f"a resize of {list(x.shape)} to {list(size)}")
    leading = x.shape[:-2]
    planes = x.reshape(1, -1, *x.shape[-2:])
    if mode == "STRICT_ALIGN_CORNERS":
        resized = F.interpolate(planes, size=size, mode="bilinear", align_corners=True)
    elif mode == "UNALIGN_CORNERS":
        resized = F.interpolate(planes, size=size, mode="bilinear", align_corners=False)
    else:
        # Positions and weights in fp32 whatever the tensor's type, rounded to it once at the end.
        resized = planes.float()
        for axis in (2, 3):
            grid = sampling_grid(planes.shape[axis], size[axis - 2], mode).to(x.device)
            resized = _interpolated(resized, axis, grid)
        resized = resized.to(x.dtype)
    return resized.reshape(*leading, *size)


def sampling_grid(source: int, target: int, mode: str) -> Tensor:
    """Positions in the source of each target pixel along one axis.

    Args:
        source: elements before.
        target: elements after.
        mode: "STRICT_ALIGN_CORNERS", "ALIGN_CORNERS", "UNALIGN_CORNERS", "DEFAULT" or
            "OFFSET_CORNERS".

    Returns:
        float32 [target], 0 … source − 1.

    Raises:
        UnsupportedError: another mode.
    """
    index = torch.arange(target, dtype=torch.float64)
    if mode in ("STRICT_ALIGN_CORNERS", "ALIGN_CORNERS"):
        if target > 1:
            grid = index * (source - 1) / (target - 1)
        else:
            grid = index + ((source - 1) / 2 if mode == "ALIGN_CORNERS" else 0)
    elif mode == "UNALIGN_CORNERS":
        grid = (index + 0.5) * source / target - 0.5
    elif mode == "DEFAULT":
        grid = index * source / target
    elif mode == "OFFSET_CORNERS":
        grid = (index + 0.5) * max(1, source - 1) / target
    else:
        raise UnsupportedError(f"the sampling mode '{mode}'")
    return grid.clamp(0, source - 1).float()


def _interpolated(x: Tensor, axis: int, grid: Tensor) -> Tensor:
    low = grid.floor().long()
    high = (low + 1).clamp(max=x.shape[axis] - 1)
    weight = (grid - low).reshape([-1 if i == axis else 1 for i in range(x.ndim)])
    return x.index_select(axis, low) * (1 - weight) + x.index_select(axis, high) * weight
