"""Operations on each element alone: arithmetic, comparison, activations, casts.

Sources of every signature and formula: the MIL operation reference of coremltools
(https://apple.github.io/coremltools/source/coremltools.converters.mil.mil.ops.defs.html).
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from .problems import FormatError, UnsupportedError
from .registry import TORCH_DTYPES, operation, register


def _of_one(function: Callable[..., Tensor]) -> Callable[[Tensor], Tensor]:
    def apply(x: Tensor) -> Tensor:
        return function(x)

    return apply


def _of_two(function: Callable[..., Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    def apply(x: Tensor, y: Tensor) -> Tensor:
        return function(x, y)

    return apply


# Those that PyTorch calls alike.
for _name in ("abs", "ceil", "floor", "relu", "sigmoid", "sqrt", "tanh"):
    register(_name, _of_one(getattr(torch, _name)))
for _name in ("add", "less", "less_equal", "maximum", "mul", "sub"):
    register(_name, _of_two(getattr(torch, _name)))
register("real_div", _of_two(torch.true_divide))


@operation()
def leaky_relu(x: Tensor, alpha: float) -> Tensor:
    return F.leaky_relu(x, alpha)


@operation()
def clip(x: Tensor, alpha: float, beta: float) -> Tensor:
    # The lower bound is applied first, so that the upper one wins where they cross.
    return x.clamp(min=alpha).clamp(max=beta)


@operation("x")
def cast(x: Tensor, dtype: str) -> Tensor:
    if dtype not in ("fp16", "fp32"):
        raise UnsupportedError(f"a cast to {dtype}")
    return x.to(TORCH_DTYPES[dtype])


@operation("cond")
def select(cond: Tensor, a: Tensor, b: Tensor) -> Tensor:
    if cond.dtype != torch.bool:
        raise FormatError("the condition of a select is not boolean")
    return torch.where(cond, a, b)
