"""Operations on each element alone: arithmetic, comparison, activations, casts.

Sources of every signature and formula: the MIL operation reference of coremltools
(https://apple.github.io/coremltools/source/coremltools.converters.mil.mil.ops.defs.html).
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from .problems import FormatError, UnsupportedError
from .registry import ANY, FLOAT, NUMBER, TORCH_DTYPES, operation

_UNARY: dict[str, tuple[frozenset[str], Callable[[Tensor], Tensor]]] = {
    "abs": (NUMBER, torch.abs),
    "ceil": (FLOAT, torch.ceil),
    "floor": (FLOAT, torch.floor),
    "relu": (FLOAT, torch.relu),
    "sigmoid": (FLOAT, torch.sigmoid),
    "sqrt": (FLOAT, torch.sqrt),
    "tanh": (FLOAT, torch.tanh),
}
_BINARY: dict[str, tuple[frozenset[str], Callable[[Tensor, Tensor], Tensor]]] = {
    "add": (NUMBER, torch.add),
    "sub": (NUMBER, torch.sub),
    "mul": (NUMBER, torch.mul),
    "maximum": (NUMBER, torch.maximum),
    "less": (NUMBER, torch.lt),
    "less_equal": (NUMBER, torch.le),
}


def _unary(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    def apply(x: Tensor) -> Tensor:
        return function(x)

    return apply


def _binary(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    def apply(x: Tensor, y: Tensor) -> Tensor:
        return function(x, y)

    return apply


for _name, (_dtypes, _function) in _UNARY.items():
    operation(_dtypes, name=_name)(_unary(_function))
for _name, (_dtypes, _pair) in _BINARY.items():
    operation(_dtypes, name=_name)(_binary(_pair))


@operation(FLOAT)
def leaky_relu(x: Tensor, alpha: float) -> Tensor:
    return F.leaky_relu(x, alpha)


@operation(FLOAT)
def clip(x: Tensor, alpha: float, beta: float) -> Tensor:
    # The lower bound is applied first, so that the upper one wins where they cross.
    return x.clamp(min=alpha).clamp(max=beta)


@operation(ANY)
def cast(x: Tensor, dtype: str) -> Tensor:
    if dtype not in TORCH_DTYPES:
        raise UnsupportedError(f"a cast to {dtype}")
    return x.to(TORCH_DTYPES[dtype])


@operation(ANY, free=("cond",))
def select(cond: Tensor, a: Tensor, b: Tensor) -> Tensor:
    if cond.dtype != torch.bool:
        raise FormatError("the condition of a select is not boolean")
    return torch.where(cond, a, b)
