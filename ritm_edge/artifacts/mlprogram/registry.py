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

from .problems import FormatError, UnsupportedError

FLOAT = frozenset({"fp16", "fp32"})
NUMBER = FLOAT | {"int32"}
ANY = NUMBER | {"bool"}
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
    """One parameter of an operation.

    Attributes:
        kind: Tensor, list[Tensor], bool, int, float, str, tuple[int, ...] or tuple[bool, ...].
        required: whether it has no default.
    """

    kind: Any
    required: bool


@dataclass(frozen=True)
class Operation:
    """One implemented operation.

    Attributes:
        name: in MIL.
        apply: tensors and plain values in, one tensor out.
        parameters: by name.
        dtypes: element types its tensors may have; they must all be the same …
        free: … except for these parameters.
    """

    name: str
    apply: Callable[..., Tensor]
    parameters: Mapping[str, Parameter]
    dtypes: frozenset[str]
    free: tuple[str, ...]

    @property
    def constant(self) -> bool:
        """Whether it unpacks constants: the format keeps its arguments in attributes."""
        return self.name.startswith("constexpr_")


OPERATIONS: dict[str, Operation] = {}


def operation(
    dtypes: frozenset[str], *, name: str | None = None, free: tuple[str, ...] = ()
) -> Callable[[Callable[..., Tensor]], Callable[..., Tensor]]:
    """Register the decorated function as the operation of its name (or `name`)."""

    def register(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        key = name or function.__name__
        OPERATIONS[key] = Operation(key, function, _parameters(function), dtypes, free)
        return function

    return register


def _parameters(function: Callable[..., Tensor]) -> dict[str, Parameter]:
    hints, found = get_type_hints(function), {}
    for name, parameter in inspect.signature(function).parameters.items():
        kind = hints[name]
        if isinstance(kind, UnionType):
            kind = next(option for option in get_args(kind) if option is not NoneType)
        found[name] = Parameter(kind, parameter.default is inspect.Parameter.empty)
    return found


def find(name: str) -> Operation:
    """The operation called `name`.

    Raises:
        UnsupportedError: it is not implemented; the text names it.
    """
    if name not in OPERATIONS:
        raise UnsupportedError(f"the operation '{name}'")
    return OPERATIONS[name]


def plain_value(constant: Constant, kind: Any, where: str) -> Any:
    """A constant of the program as a Python value of a parameter's kind.

    Raises:
        FormatError: of another type.
    """
    if isinstance(constant, str):
        if kind is str:
            return constant
    else:
        is_list = get_origin(kind) is tuple
        element = _ELEMENTS.get(get_args(kind)[0] if is_list else kind)
        if element and constant.ndim == is_list and np.issubdtype(constant.dtype, element):
            return tuple(constant.tolist()) if is_list else constant.item()
    raise FormatError(f"{where} is not {_describe(kind)}")


def _describe(kind: Any) -> str:
    if get_origin(kind) is tuple:
        return f"a list of {get_args(kind)[0].__name__}"
    return f"a single {kind.__name__}"
