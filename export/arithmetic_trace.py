"""TorchScript with the numbers 0.0 and 1.0 as truth values, for converters without booleans.

Equal to the last bit for finite numbers: the difference of two different ones is never zero, the
ceiling of what is positive is at least one, and a product with 0.0 or 1.0 is exact.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ritm_edge.runtimes.silence import without_warnings


def _positive(x: Tensor) -> Tensor:
    return torch.clamp(torch.ceil(torch.relu(x)), max=1.0)


def _less(left: Tensor, right: Tensor | float) -> Tensor:
    return _positive(right - left)


def _at_most(left: Tensor, right: Tensor | float) -> Tensor:
    return 1.0 - _positive(left - right)


def _where(condition: Tensor, chosen: Tensor, other: Tensor) -> Tensor:
    return condition * chosen + (1.0 - condition) * other


# The comparisons that the models make.
BY_NAME: dict[str, Callable[..., Tensor]] = {"lt": _less, "le": _at_most, "where": _where}


class _TruthAsNumbers(TorchFunctionMode):
    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        replacement = BY_NAME.get(getattr(func, "__name__", ""), func)
        return replacement(*args, **(kwargs or {}))


def trace(graph: nn.Module, example: dict[str, Tensor]) -> torch.jit.ScriptModule:
    """Record what a graph in eval mode does with inputs of these shapes, by name and in the order
    in which it takes them."""
    with without_warnings(), torch.no_grad(), _TruthAsNumbers():
        traced: torch.jit.ScriptModule = torch.jit.trace(
            graph, tuple(example.values()), check_trace=False
        )
    return traced
