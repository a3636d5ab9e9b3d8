"""Depthwise convolutions whose gradients are fast on CPUs.

PyTorch's own CPU backward of a depthwise convolution falls back to slow kernels for 5×5 weights in
bfloat16 and for strides of 2. Both gradients are convolutions themselves, for which there are fast
kernels: the gradient of the input is one of the (spread out) output gradient with the mirrored
weights; that of 5×5 weights is put together from the gradients of overlapping 3×3 weights.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

KERNELS = (3, 5)


class _Depthwise(torch.autograd.Function):
    """Depthwise convolution of odd kernel, padded to keep the size up to its stride."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride = stride
        return F.conv2d(x, weight, None, stride, weight.shape[2] // 2, groups=len(weight))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        x, weight = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        of_input = of_weight = None
        if ctx.needs_input_grad[0]:
            of_input = _input_gradient(gradient, x, weight, ctx.stride)
        if ctx.needs_input_grad[1]:
            of_weight = _weight_gradient(gradient, x, weight, ctx.stride)
        return of_input, of_weight, None


def _input_gradient(gradient: Tensor, x: Tensor, weight: Tensor, stride: int) -> Tensor:
    if stride > 1:
        spread = torch.empty_like(x, memory_format=torch.channels_last).zero_()
        spread[:, :, ::stride, ::stride] = gradient
        gradient = spread
    return F.conv2d(gradient, weight.flip(2, 3), None, 1, weight.shape[2] // 2, groups=len(weight))


def _weight_gradient(gradient: Tensor, x: Tensor, weight: Tensor, stride: int) -> Tensor:
    if weight.shape[2] == 3:
        return _small_weight_gradient(gradient, x, weight, stride, padding=1)
    result = torch.empty_like(weight)
    # Rows and columns that a 3×3 kernel reads for an output of this size.
    rows, columns = (stride * (length - 1) + 3 for length in gradient.shape[2:])
    padded = F.pad(x, (2, 2 + stride, 2, 2 + stride))
    for row in (0, 2):
        for column in (0, 2):
            part = padded[:, :, row : row + rows, column : column + columns]
            taps = (slice(None), slice(None), slice(row, row + 3), slice(column, column + 3))
            result[taps] = _small_weight_gradient(
                gradient,
                part.contiguous(memory_format=torch.channels_last),
                weight[taps].contiguous(),
                stride,
                padding=0,
            )
    return result


def _small_weight_gradient(
    gradient: Tensor, x: Tensor, weight: Tensor, stride: int, *, padding: int
) -> Tensor:
    of_weight: Tensor = torch.ops.aten.convolution_backward(
        gradient,
        x,
        weight,
        None,
        [stride, stride],
        [padding, padding],
        [1, 1],
        False,
        [0, 0],
        len(weight),
        [False, True, False],
    )[1]
    return of_weight


class FastDepthwise(nn.Conv2d):
    """`nn.Conv2d` with the gradients of this module; the same parameters, equal up to rounding."""

    def forward(self, x: Tensor) -> Tensor:
        if not torch.is_grad_enabled():
            return super().forward(x)
        weight = self.weight
        if torch.is_autocast_enabled("cpu"):
            kind = torch.get_autocast_dtype("cpu")
            x, weight = x.to(kind), weight.to(kind)
        result: Tensor = _Depthwise.apply(x, weight, self.stride[0])  # type: ignore[no-untyped-call]  # of torch
        return result


def use_fast_depthwise(model: nn.Module) -> None:
    """Give the depthwise convolutions of `model` fast gradients, in place; for CPUs alone."""
    for module in model.modules():
        if type(module) is nn.Conv2d and _fits(module):
            module.__class__ = FastDepthwise


def has_depthwise(model: nn.Module) -> bool:
    """Whether there is a convolution that `use_fast_depthwise` changes."""
    return any(isinstance(module, nn.Conv2d) and _fits(module) for module in model.modules())


def use_plain_depthwise(model: nn.Module) -> None:
    """Undo `use_fast_depthwise`."""
    for module in model.modules():
        if type(module) is FastDepthwise:
            module.__class__ = nn.Conv2d  # type: ignore[assignment]


def _fits(module: nn.Conv2d) -> bool:
    kernel = module.kernel_size[0]
    return (
        module.groups > 1
        and module.groups == module.in_channels == module.out_channels
        and module.bias is None
        and kernel in KERNELS
        and module.kernel_size == (kernel, kernel)
        and module.padding == (kernel // 2, kernel // 2)
        and module.dilation == (1, 1)
        and module.stride[0] == module.stride[1]
    )
