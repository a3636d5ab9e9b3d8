"""Operations of network layers: packed weights, convolution, pooling, products, resizing.

Sources: as in `ops_elementwise`.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from .problems import FormatError, UnsupportedError
from .registry import operation

Ints = tuple[int, ...]


@operation()
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
    padding = _padding(x, pad_type, pad, strides, dilations)
    if weight.ndim != 4 or (bias is not None and bias.shape != weight.shape[:1]):
        raise FormatError(f"a convolution of {list(x.shape)} with {list(weight.shape)}")
    return F.conv2d(x, weight, bias, strides, padding, dilations, groups)


@operation()
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
    return F.max_pool2d(x, kernel_sizes, strides, _padding(x, pad_type, pad, kernel_sizes, strides))


@operation()
def avg_pool(
    x: Tensor,
    kernel_sizes: Ints,
    pad_type: str,
    strides: Ints = (1, 1),
    pad: Ints | None = None,
    exclude_padding_from_average: bool = False,
    ceil_mode: bool = False,
) -> Tensor:
    if ceil_mode:
        raise UnsupportedError("pooling with ceil_mode")
    padding = _padding(x, pad_type, pad, kernel_sizes, strides)
    counted = not exclude_padding_from_average
    return F.avg_pool2d(x, kernel_sizes, strides, padding, count_include_pad=counted)


def _padding(x: Tensor, pad_type: str, pad: Ints | None, *window: Ints) -> Ints:
    """(rows, columns), on both sides alike; `window` is what else has a number for each of both."""
    if x.ndim != 4:
        raise UnsupportedError(f"a window over a tensor of rank {x.ndim}")
    if any(len(each) != 2 or min(each) < 1 for each in window):
        raise FormatError(f"a window with {' and '.join(str(list(each)) for each in window)}")
    if pad_type == "valid":
        return (0, 0)
    if pad_type != "custom":
        raise UnsupportedError(f"pad_type '{pad_type}'")
    if pad is None or len(pad) != 4 or min(pad) < 0:
        raise FormatError(f"a window with custom padding by {pad}")
    if pad[::2] != pad[1::2]:
        raise UnsupportedError(f"padding by {list(pad)}, which differs from side to side,")
    return pad[::2]


@operation()
def matmul(x: Tensor, y: Tensor, transpose_x: bool = False, transpose_y: bool = False) -> Tensor:
    """Broadcasts over all but the last two axes."""
    if min(x.ndim, y.ndim) < 2:
        raise UnsupportedError("a product with a vector")
    x = x.transpose(-1, -2) if transpose_x else x
    return torch.matmul(x, y.transpose(-1, -2) if transpose_y else y)


@operation()
def reduce_min(x: Tensor, axes: Ints | None = None, keep_dims: bool = False) -> Tensor:
    return torch.amin(x, tuple(range(x.ndim)) if axes is None else axes, keep_dims)


@operation()
def reduce_mean(x: Tensor, axes: Ints | None = None, keep_dims: bool = False) -> Tensor:
    return torch.mean(x, tuple(range(x.ndim)) if axes is None else axes, keep_dims)


@operation()
def softmax(x: Tensor, axis: int = -1) -> Tensor:
    return torch.softmax(x, axis)


@operation()
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
    if min(height, width) < 1:
        raise FormatError(f"a resize to {height}x{width}")
    return F.interpolate(x, size=(height, width), mode="bilinear", align_corners=True)


@operation("quantized_data", "zero_point")
def constexpr_affine_dequantize(
    quantized_data: Tensor, zero_point: Tensor, scale: Tensor, axis: int
) -> Tensor:
    """scale · (data - zero point), typed as the scale; both are scalars or vectors along `axis`.

    Unpacked in every run: so only what is in use takes memory, however often a file unpacks the
    same few bytes.
    """
    shape = quantized_data.shape
    if quantized_data.dtype != torch.int8:
        raise FormatError("quantized data that is not int8")
    if zero_point.dtype != torch.int8:
        raise UnsupportedError("a zero point that is not int8")
    if not -len(shape) <= axis < len(shape):
        raise FormatError(f"quantized data of {list(shape)} without the axis {axis}")
    for factor in (scale, zero_point):
        if factor.shape not in ((), (shape[axis],)):
            raise FormatError(f"{list(factor.shape)} factors for axis {axis} of {list(shape)}")
    along = [1] * len(shape)
    along[axis] = -1
    # Differences of bytes are exact in float16 as well: only the product is rounded.
    steps = quantized_data.to(scale.dtype) - zero_point.to(scale.dtype).reshape(along)
    return steps * scale.reshape(along)
