"""Operations over whole axes: reductions, softmax, matrix products, batch normalisation.

ExportInput: as in `ops_elementwise`.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from .registry import FLOAT, NUMBER, operation

Ints = tuple[int, ...]


def _sum(x: Tensor, axes: Ints, keep: bool) -> Tensor:
    return torch.sum(x, axes, keepdim=keep, dtype=x.dtype)


def _sum_square(x: Tensor, axes: Ints, keep: bool) -> Tensor:
    return torch.sum(x * x, axes, keepdim=keep, dtype=x.dtype)


def _mean(x: Tensor, axes: Ints, keep: bool) -> Tensor:
    return torch.mean(x, axes, keepdim=keep)


_REDUCTIONS: dict[str, tuple[frozenset[str], Callable[[Tensor, Ints, bool], Tensor]]] = {
    "reduce_max": (NUMBER, torch.amax),
    "reduce_min": (NUMBER, torch.amin),
    "reduce_mean": (FLOAT, _mean),
    "reduce_sum": (NUMBER, _sum),
    "reduce_sum_square": (NUMBER, _sum_square),
}


def _reduction(function: Callable[[Tensor, Ints, bool], Tensor]) -> Callable[..., Tensor]:
    def apply(x: Tensor, axes: Ints | None = None, keep_dims: bool = False) -> Tensor:
        return function(x, tuple(range(x.ndim)) if axes is None else axes, keep_dims)

    return apply


for _name, (_dtypes, _function) in _REDUCTIONS.items():
    operation(_dtypes, name=_name)(_reduction(_function))


@operation(FLOAT)
def softmax(x: Tensor, axis: int = -1) -> Tensor:
    return torch.softmax(x, axis)


@operation(NUMBER)
def matmul(x: Tensor, y: Tensor, transpose_x: bool = False, transpose_y: bool = False) -> Tensor:
    """Broadcasts over all but the last two axes; transposing a vector has no effect."""
    if transpose_x and x.ndim > 1:
        x = x.transpose(-1, -2)
    if transpose_y and y.ndim > 1:
        y = y.transpose(-1, -2)
    return torch.matmul(x, y)


@operation(FLOAT)
def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    return F.linear(x, weight, bias)


@operation(FLOAT)
def batch_norm(
    x: Tensor,
    mean: Tensor,
    variance: Tensor,
    gamma: Tensor | None = None,
    beta: Tensor | None = None,
    epsilon: float = 1e-5,
) -> Tensor:
    return F.batch_norm(x, mean, variance, gamma, beta, eps=epsilon)
