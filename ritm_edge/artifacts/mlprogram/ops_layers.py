"""Operations of network layers: convolution, pooling, products, reductions, softmax, resizing.

Sources: as in `ops_elementwise`.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from .problems import FormatError, UnsupportedError
from .registry import FLOAT, NUMBER, operation

Ints = tuple[int, ...]


@operation(FLOAT)
def conv(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    strides: Ints = (1, 1),
    pad_type: str = "valid",
    pad: Ints | None = None,
    dilations: Ints = (1, 1),
    groups: int = 1,
) -> Tensor:
    """x [N, C, H, W], weight [C', C/groups, h, w], bias [C'] → [N, C', H', W']."""
    padding = _padding(x, pad_type, pad)
    return F.conv2d(x, weight, bias, strides, padding, dilations, groups)


@operation(FLOAT)
def max_pool(
    x: Tensor,
    kernel_sizes: Ints,
    pad_type: str,
    strides: Ints = (1, 1),
    pad: Ints | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    if ceil_mode:
        raise UnsupportedError("pooling with ceil_mode")
    return F.max_pool2d(x, kernel_sizes, strides, _padding(x, pad_type, pad))


def _padding(x: Tensor, pad_type: str, pad: Ints | None) -> Ints:
    """(rows, columns), on both sides alike."""
    if x.ndim != 4:
        raise UnsupportedError(f"a window over a tensor of rank {x.ndim}")
    if pad_type == "valid":
        return (0, 0)
    if pad_type != "custom":
        raise UnsupportedError(f"pad_type '{pad_type}'")
    if pad is None or len(pad) != 4:
        raise FormatError("a window with custom padding of another rank")
    if pad[::2] != pad[1::2]:
        raise UnsupportedError(f"padding by {list(pad)}, which differs from side to side,")
    return pad[::2]


@operation(FLOAT)
def matmul(x: Tensor, y: Tensor, transpose_x: bool = False, transpose_y: bool = False) -> Tensor:
    """Broadcasts over all but the last two axes."""
    if min(x.ndim, y.ndim) < 2:
        raise UnsupportedError("a product with a vector")
    x = x.transpose(-1, -2) if transpose_x else x
    return torch.matmul(x, y.transpose(-1, -2) if transpose_y else y)


@operation(NUMBER)
def reduce_min(x: Tensor, axes: Ints | None = None, keep_dims: bool = False) -> Tensor:
    return torch.amin(x, tuple(range(x.ndim)) if axes is None else axes, keep_dims)


@operation(FLOAT)
def reduce_mean(x: Tensor, axes: Ints | None = None, keep_dims: bool = False) -> Tensor:
    return torch.mean(x, tuple(range(x.ndim)) if axes is None else axes, keep_dims)


@operation(FLOAT)
def softmax(x: Tensor, axis: int = -1) -> Tensor:
    return torch.softmax(x, axis)


@operation(FLOAT)
def upsample_bilinear(
    x: Tensor,
    scale_factor_height: float = 1.0,
    scale_factor_width: float = 1.0,
    align_corners: bool = True,
) -> Tensor:
    """Output sizes are the floor of size × scale; the grid follows from the sizes alone."""
    if not align_corners:
        raise UnsupportedError("upsample_bilinear without align_corners")
    if x.ndim != 4:
        raise UnsupportedError(f"a resize of a tensor of rank {x.ndim}")
    height = math.floor(x.shape[2] * scale_factor_height)
    width = math.floor(x.shape[3] * scale_factor_width)
    return F.interpolate(x, size=(height, width), mode="bilinear", align_corners=True)
