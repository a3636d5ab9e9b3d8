"""The exact Euclidean distance transform of a whole batch, on the device where it lies."""

import functools
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ritm_edge.errors import first_line

# Of the largest intermediate result: what a CPU's cache holds, what keeps a GPU busy.
BLOCK_BYTES = {"cpu": 1 << 22, "cuda": 1 << 28}


def squared_depth(regions: Tensor) -> Tensor:
    """How deep every pixel lies in its region, squared; beyond the image there is no region. Equal
    integers of [B, H, W] are one region, and all share the two passes. Returns float32 [B, H, W],
    exact for sides up to 4096: the values of OpenCV's `DIST_MASK_PRECISE` on a padded image, in
    whole numbers."""
    along_columns = _to_another(regions, 1).square().flatten(0, 1)
    # In a row, no pixel beyond the nearest of another region can be nearer than that one.
    along_rows = _to_another(regions, 2).square().flatten(0, 1)
    column = torch.arange(regions.shape[2], device=regions.device, dtype=torch.float32)
    if regions.is_cuda and (fused := _fused()) is not None:
        nearest: Tensor = fused(along_columns, along_rows, column)
        return nearest.view(regions.shape)
    size = max(BLOCK_BYTES.get(regions.device.type, 1 << 22) // (4 * column.numel() ** 2), 1)
    blocks = zip(along_columns.split(size), along_rows.split(size), strict=True)
    return torch.cat([_nearest(*block, column) for block in blocks]).view(regions.shape)


def _nearest(along_columns: Tensor, along_rows: Tensor, column: Tensor) -> Tensor:
    """Squared distances [N, W] from those along the columns and along the rows, [N, W] each."""
    through = along_columns[:, None] + (column[:, None] - column).square()
    return torch.minimum(through.amin(2), along_rows)


@functools.cache
def _fused() -> Callable[..., Any] | None:
    """`_nearest` as one GPU kernel, which keeps no [N, W, W] in memory; None where torch cannot
    compile here (it needs Triton and a C compiler)."""
    fused = torch.compile(_nearest, dynamic=True)
    sample = torch.ones((2, 3), device="cuda")
    try:
        fused(sample, sample, sample[0])
    except Exception as error:  # torch raises many types here
        reason = first_line(error)
        warnings.warn(f"distances are computed without torch.compile: {reason}", stacklevel=2)
        return None
    return fused


def _to_another(regions: Tensor, axis: int) -> Tensor:
    """Distance along an axis to the nearest pixel of another number or beyond the border."""
    values = regions.movedim(axis, 2)
    place = torch.arange(values.shape[2], device=values.device, dtype=torch.int32)
    changes = values[..., 1:] != values[..., :-1]
    border = torch.zeros_like(values[..., :1], dtype=torch.bool)
    first = torch.where(torch.cat((border, changes), 2), place, 0).cummax(2).values
    last = torch.where(torch.cat((changes, border), 2), place, len(place) - 1)
    last = last.flip(2).cummin(2).values.flip(2)
    return (torch.minimum(place - first, last - place) + 1).float().movedim(2, axis)
