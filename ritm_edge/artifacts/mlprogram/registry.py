"""Operations by name. The signature of a function is the declaration of its operation.

Parameter names and defaults are those of the MIL operation. A parameter annotated `Tensor`,
`Tensor | None` or `list[Tensor]` is computed data; any other is a constant of the program, handed
over as a plain Python value. What the signature does not name is refused, never ignored.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .problems import FormatError

TORCH_DTYPES = {
    "bool": torch.bool,
    "fp16": torch.float16,
    "fp32": torch.float32,
    "int32": torch.int32,
    "int8": torch.int8,
}

Constant = str | NDArray[Any]
_ELEMENTS = {bool: np.bool_, int: np.signedinteger, float: np.floating}


@dataclass(frozen=True)
class Parameter:
    """One parameter of an operation: Tensor, list[Tensor], bool, int, float, str, tuple[int, ...]
    or tuple[bool, ...]; required where it has no default."""

    kind: Any
    required: bool


@dataclass(frozen=True)
class Operation:
    """One implemented operation: tensors and plain values in, one tensor out; `free` parameters
    need not be of the one float type that all others have."""

    name: str
    apply: Callable[..., Tensor]
    parameters: Mapping[str, Parameter]
    free: tuple[str, ...]

    @property
    def constant(self) -> bool:
        """Whether it unpacks constants: the format keeps its arguments in attributes."""
        return self.name.startswith("constexpr_")


OPERATIONS: dict[str, Operation] = {}


def register(name: str, function: Callable[..., Tensor], free: tuple[str, ...] = ()) -> None:
    """Add an operation."""
    OPERATIONS[name] = Operation(name, function, _parameters(function), free)


def operation(*free: str) -> Callable[[Callable[..., Tensor]], Callable[..., Tensor]]:
    """Register the decorated function under its own name."""

    def decorate(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        register(function.__name__, function, free)
        return function

    return decorate


def _parameters(function: Callable[..., Tensor]) -> dict[str, Parameter]:
    hints, found = get_type_hints(function), {}
    for name, parameter in inspect.signature(function).parameters.items():
        kind = hints[name]
        if isinstance(kind, UnionType):
            kind = next(option for option in get_args(kind) if option is not NoneType)
        found[name] = Parameter(kind, parameter.default is inspect.Parameter.empty)
    return found


def plain_value(constant: Constant, kind: Any, where: str) -> Any:
    """A constant of the program as a Python value of a parameter's kind. Raises FormatError: of
    another type."""
    if isinstance(constant, str):
        if kind is str:
            return constant
    else:
        is_list = get_origin(kind) is tuple
        element = _ELEMENTS.get(get_args(kind)[0] if is_list else kind)
        if element and constant.ndim == is_list and np.issubdtype(constant.dtype, element):
            return tuple(constant.tolist()) if is_list else constant.item()
    shape, name = ("list of", get_args(kind)[0]) if get_origin(kind) is tuple else ("single", kind)
    raise FormatError(f"{where} is not a {shape} {name.__name__}")
