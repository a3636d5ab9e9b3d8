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

_OF_ONE: dict[str, Callable[[Tensor], Tensor]] = {
    "abs": torch.abs,
    "ceil": torch.ceil,
    "floor": torch.floor,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "sqrt": torch.sqrt,
    "tanh": torch.tanh,
}
_OF_TWO: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "add": torch.add,
    "less": torch.lt,
    "less_equal": torch.le,
    "maximum": torch.maximum,
    "mul": torch.mul,
    "real_div": torch.true_divide,
    "sub": torch.sub,
}


def _of_one(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    def apply(x: Tensor) -> Tensor:
        return function(x)

    return apply


def _of_two(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    def apply(x: Tensor, y: Tensor) -> Tensor:
        return function(x, y)

    return apply


for _name, _unary in _OF_ONE.items():
    register(_name, _of_one(_unary))
for _name, _binary in _OF_TWO.items():
    register(_name, _of_two(_binary))


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
