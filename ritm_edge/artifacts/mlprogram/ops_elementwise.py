"""Operations on each element alone: arithmetic, comparison, logic, activations, casts.

ExportInput of every signature and formula: the MIL operation reference of coremltools
(https://apple.github.io/coremltools/source/coremltools.converters.mil.mil.ops.defs.html).
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from .problems import FormatError, UnsupportedError
from .registry import ANY, BOOL, FLOAT, NUMBER, operation

TORCH_DTYPES = {
    "bool": torch.bool,
    "fp16": torch.float16,
    "fp32": torch.float32,
    "int32": torch.int32,
    "int8": torch.int8,
    "uint8": torch.uint8,
}

_UNARY_FLOAT: dict[str, Callable[[Tensor], Tensor]] = {
    "atan": torch.atan,
    "ceil": torch.ceil,
    "cos": torch.cos,
    "erf": torch.erf,
    "exp": torch.exp,
    "floor": torch.floor,
    "relu": torch.relu,
    "relu6": F.relu6,
    "sigmoid": torch.sigmoid,
    "silu": F.silu,
    "sin": torch.sin,
    "softsign": F.softsign,
    "sqrt": torch.sqrt,
    "tanh": torch.tanh,
}
_UNARY_NUMBER: dict[str, Callable[[Tensor], Tensor]] = {
    "abs": torch.abs,
    "sign": torch.sign,
    "square": torch.square,
}
_BINARY: dict[str, tuple[frozenset[str], Callable[[Tensor, Tensor], Tensor]]] = {
    "add": (NUMBER, torch.add),
    "sub": (NUMBER, torch.sub),
    "mul": (NUMBER, torch.mul),
    # Integer division, modulo and power round differently from tool to tool: floats only.
    "real_div": (FLOAT, torch.div),
    "pow": (FLOAT, torch.pow),
    "maximum": (NUMBER, torch.maximum),
    "minimum": (NUMBER, torch.minimum),
    "equal": (ANY, torch.eq),
    "not_equal": (ANY, torch.ne),
    "less": (NUMBER, torch.lt),
    "less_equal": (NUMBER, torch.le),
    "greater": (NUMBER, torch.gt),
    "greater_equal": (NUMBER, torch.ge),
    "logical_and": (BOOL, torch.logical_and),
    "logical_or": (BOOL, torch.logical_or),
    "logical_xor": (BOOL, torch.logical_xor),
}


def _unary(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    def apply(x: Tensor) -> Tensor:
        return function(x)

    return apply


def _binary(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    def apply(x: Tensor, y: Tensor) -> Tensor:
        return function(x, y)

    return apply


for _name, _function in _UNARY_FLOAT.items():
    operation(FLOAT, name=_name)(_unary(_function))
for _name, _function in _UNARY_NUMBER.items():
    operation(NUMBER, name=_name)(_unary(_function))
for _name, (_dtypes, _pair) in _BINARY.items():
    operation(_dtypes, name=_name)(_binary(_pair))


@operation(BOOL)
def logical_not(x: Tensor) -> Tensor:
    return torch.logical_not(x)


@operation(ANY)
def identity(x: Tensor) -> Tensor:
    return x


@operation(FLOAT)
def leaky_relu(x: Tensor, alpha: float) -> Tensor:
    return F.leaky_relu(x, alpha)


@operation(FLOAT)
def elu(x: Tensor, alpha: float) -> Tensor:
    return F.elu(x, alpha)


@operation(FLOAT)
def clamped_relu(x: Tensor, alpha: float, beta: float) -> Tensor:
    return F.leaky_relu(x, alpha).clamp(max=beta)


@operation(FLOAT)
def thresholded_relu(x: Tensor, alpha: float) -> Tensor:
    return torch.where(x >= alpha, x, torch.zeros_like(x))


@operation(FLOAT)
def prelu(x: Tensor, alpha: Tensor) -> Tensor:
    if alpha.shape != x.shape[1:2]:
        raise FormatError(f"prelu has {alpha.numel()} slopes for {list(x.shape)}")
    return F.prelu(x, alpha)


@operation(FLOAT)
def linear_activation(x: Tensor, alpha: float, beta: float) -> Tensor:
    return x * alpha + beta


@operation(FLOAT)
def sigmoid_hard(x: Tensor, alpha: float, beta: float) -> Tensor:
    return (x * alpha + beta).clamp(0, 1)


@operation(FLOAT)
def scaled_tanh(x: Tensor, alpha: float, beta: float) -> Tensor:
    return alpha * torch.tanh(beta * x)


@operation(FLOAT)
def clip(x: Tensor, alpha: float, beta: float) -> Tensor:
    # The lower bound is applied first, so that the upper one wins where they cross.
    return x.clamp(min=alpha).clamp(max=beta)


@operation(FLOAT)
def rsqrt(x: Tensor, epsilon: float = 1e-12) -> Tensor:
    return torch.rsqrt(x + epsilon)


@operation(FLOAT)
def inverse(x: Tensor, epsilon: float = 1e-4) -> Tensor:
    return torch.reciprocal(x + epsilon)


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
