"""Corner-aligned bilinear resizing as two small matrices, for a size that is known."""

import torch
from torch import Tensor, nn


def branch_sizes(height: int, width: int) -> list[tuple[int, int]]:
    """(H, W) of HRNet's four branches for a photo of that size: two, three, four, five halvings."""
    sizes = []
    for halving in range(5):
        height, width = (height + 1) // 2, (width + 1) // 2
        if halving:
            sizes.append((height, width))
    return sizes


def matrix(outputs: int, inputs: int) -> Tensor:
    """float32 [outputs, inputs]: the linear map along one axis; every row sums to 1."""
    result = torch.zeros(outputs, inputs, dtype=torch.float64)
    step = (inputs - 1) / (outputs - 1) if outputs > 1 else 0.0
    for row in range(outputs):
        position = row * step
        left = min(int(position), inputs - 1)
        result[row, left] += 1 - (position - left)
        if position > left:
            result[row, left + 1] += position - left
    return result.float()


def shifted(interpolation: Tensor, offset: int) -> Tensor:
    """Rows moved so that row r holds what was in row r + offset; zeros where there was none.

    This is how one row of a zero-padded convolution kernel reads the interpolated rows.
    """
    result = torch.zeros_like(interpolation)
    height = len(interpolation)
    for row in range(max(0, -offset), min(height, height - offset)):
        result[row] = interpolation[row + offset]
    return result


class Widen(nn.Module):
    """[B, C, h, w] to [B, C, h, W], interpolated along the rows."""

    weights: Tensor

    def __init__(self, outputs: int, inputs: int) -> None:
        super().__init__()
        self.register_buffer("weights", matrix(outputs, inputs).T.contiguous())

    def forward(self, x: Tensor) -> Tensor:
        return torch.matmul(x, self.weights)


class SumHeights(nn.Module):
    """Maps of several heights, each multiplied by its matrix [H, h_i] along the columns, summed.

    One product with the matrices side by side adds them up on the way.
    """

    weights: Tensor

    def __init__(self, matrices: list[Tensor]) -> None:
        super().__init__()
        self.register_buffer("weights", torch.cat(matrices, dim=1))

    def forward(self, maps: list[Tensor]) -> Tensor:
        """[B, C, h_i, W] each to [B, C, H, W]."""
        return torch.matmul(self.weights, torch.cat(maps, dim=2))
