"""Operations that slide a window: convolution and pooling over one to three spatial axes.

ExportInput: as in `ops_elementwise`.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from .problems import FormatError, UnsupportedError
from .registry import FLOAT, operation

Ints = tuple[int, ...]

CONVOLUTIONS = {3: F.conv1d, 4: F.conv2d, 5: F.conv3d}
MAX_POOLS = {3: F.max_pool1d, 4: F.max_pool2d, 5: F.max_pool3d}
AVERAGE_POOLS = {3: F.avg_pool1d, 4: F.avg_pool2d, 5: F.avg_pool3d}


@operation(FLOAT)
def conv(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    strides: Ints | None = None,
    pad_type: str = "valid",
    pad: Ints | None = None,
    dilations: Ints | None = None,
    groups: int = 1,
) -> Tensor:
    """x [N, C, *D], weight [C', C/groups, *K], bias [C'] → [N, C', *D']."""
    spatial = _spatial_axes(x)
    if weight.ndim != x.ndim:
        raise FormatError(f"a convolution of {list(x.shape)} with {list(weight.shape)}")
    strides = _per_axis(strides, spatial, 1)
    dilations = _per_axis(dilations, spatial, 1)
    pads = _pads(pad_type, pad, tuple(weight.shape[2:]), strides, dilations)
    padding: Ints | int = 0
    if pads[::2] == pads[1::2]:
        padding = pads[::2]
    else:
        x = _padded(x, pads, 0.0)
    return CONVOLUTIONS[x.ndim](x, weight, bias, strides, padding, dilations, groups)


@operation(FLOAT)
def max_pool(
    x: Tensor,
    kernel_sizes: Ints,
    pad_type: str,
    strides: Ints | None = None,
    pad: Ints | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    strides, pads = _pool_window(x, kernel_sizes, strides, pad_type, pad, ceil_mode)
    return MAX_POOLS[x.ndim](_padded(x, pads, -math.inf), kernel_sizes, strides)


@operation(FLOAT)
def avg_pool(
    x: Tensor,
    kernel_sizes: Ints,
    pad_type: str,
    strides: Ints | None = None,
    pad: Ints | None = None,
    exclude_padding_from_average: bool = False,
    ceil_mode: bool = False,
) -> Tensor:
    strides, pads = _pool_window(x, kernel_sizes, strides, pad_type, pad, ceil_mode)
    average = AVERAGE_POOLS[x.ndim]
    mean: Tensor = average(_padded(x, pads, 0.0), kernel_sizes, strides)
    if not exclude_padding_from_average:
        return mean
    inside = _padded(torch.ones_like(x[:1, :1]), pads, 0.0)
    return mean / average(inside, kernel_sizes, strides)


def _pool_window(
    x: Tensor,
    kernel: Ints,
    strides: Ints | None,
    pad_type: str,
    pad: Ints | None,
    ceil_mode: bool,
) -> tuple[Ints, Ints]:
    if ceil_mode:
        raise UnsupportedError("pooling with ceil_mode")
    spatial = _spatial_axes(x)
    kernel = _per_axis(kernel, spatial, 1)
    strides = _per_axis(strides, spatial, 1)
    return strides, _pads(pad_type, pad, kernel, strides, (1,) * spatial)


def _spatial_axes(x: Tensor) -> int:
    if x.ndim not in CONVOLUTIONS:
        raise FormatError(f"a window over a tensor of rank {x.ndim}")
    return x.ndim - 2


def _per_axis(values: Ints | None, spatial: int, default: int) -> Ints:
    values = (default,) * spatial if values is None else values
    if len(values) != spatial or min(values) < 1:
        raise FormatError(f"a window with {list(values)} for {spatial} axes")
    return values


def _pads(pad_type: str, pad: Ints | None, kernel: Ints, strides: Ints, dilations: Ints) -> Ints:
    """(before, after) of each spatial axis, outermost first."""
    if pad_type == "valid":
        return (0,) * (2 * len(kernel))
    if pad_type == "custom":
        if pad is None or len(pad) != 2 * len(kernel) or min(pad) < 0:
            raise FormatError("a window with custom padding of another rank")
        return pad
    if pad_type in ("same", "same_lower"):
        extents = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
        # The documentation contradicts itself elsewhere (its formula ignores the stride, and puts
        # the odd row of an even kernel first for "same" as well): only the clear case is run.
        if set(strides) == {1} and all(extent % 2 for extent in extents):
            return tuple(extent // 2 for extent in extents for _ in range(2))
        raise UnsupportedError(f"pad_type '{pad_type}' with strides {list(strides)}")
    raise UnsupportedError(f"pad_type '{pad_type}'")


def _padded(x: Tensor, pads: Ints, value: float) -> Tensor:
    if not any(pads):
        return x
    pairs = zip(pads[::2], pads[1::2], strict=True)
    return F.pad(x, [amount for pair in reversed(list(pairs)) for amount in pair], value=value)
