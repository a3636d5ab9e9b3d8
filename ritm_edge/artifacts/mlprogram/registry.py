"""Operations by name. The signature of a function is the declaration of its operation.

Parameter names and defaults are those of the MIL operation. A parameter annotated `Tensor`,
`Tensor | None` or `list[Tensor]` is computed data; any other is a constant of the program, handed
over as a plain Python value. What the signature does not name is refused, never ignored.
"""

import inspect
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from .problems import FormatError, UnsupportedError

FLOAT = frozenset({"fp16", "fp32"})
NUMBER = FLOAT | {"int32"}
ANY = NUMBER | {"bool"}
BOOL = frozenset({"bool"})

Constant = str | NDArray[Any]


class Number:
    """Stands for the annotation `int | float`."""


@dataclass(frozen=True)
class Parameter:
    """One parameter of an operation.

    Attributes:
        kind: Tensor, list (of tensors), bool, int, float, str, Number (int or float), or tuple
            (of integers or booleans).
        element: of a tuple.
        required: whether it has no default.
    """

    kind: type
    element: type | None
    required: bool


@dataclass(frozen=True)
class Operation:
    """One implemented operation.

    Attributes:
        name: in MIL.
        apply: tensors and plain values in, one tensor or a list of tensors out.
        parameters: by name.
        dtypes: element types its tensors may have; they must all be the same …
        free: … except for these parameters.
        constant: whether it unpacks constants: the format keeps its arguments in attributes.
    """

    name: str
    apply: Callable[..., Tensor | list[Tensor]]
    parameters: Mapping[str, Parameter]
    dtypes: frozenset[str]
    free: frozenset[str]
    constant: bool


OPERATIONS: dict[str, Operation] = {}


def operation(
    dtypes: frozenset[str],
    *,
    name: str | None = None,
    free: tuple[str, ...] = (),
    constant: bool = False,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register the decorated function as the operation of its name (or `name`)."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        key = name or function.__name__
        if key in OPERATIONS:
            raise ValueError(f"two implementations of {key}")
        OPERATIONS[key] = Operation(
            key, function, _parameters(function), dtypes, frozenset(free), constant
        )
        return function

    return register


def _parameters(function: Callable[..., Any]) -> dict[str, Parameter]:
    hints = get_type_hints(function)
    found = {}
    for name, parameter in inspect.signature(function).parameters.items():
        hint = hints[name]
        if get_origin(hint) in (Union, types.UnionType):
            options = [option for option in get_args(hint) if option is not type(None)]
            hint = Number if set(options) == {int, float} else options[0]
        arguments = get_args(hint)
        found[name] = Parameter(
            kind=get_origin(hint) or hint,
            element=arguments[0] if arguments else None,
            required=parameter.default is inspect.Parameter.empty,
        )
    return found


def find(name: str) -> Operation:
    """The operation called `name`.

    Raises:
        UnsupportedError: it is not implemented; the text names it.
    """
    if name not in OPERATIONS:
        raise UnsupportedError(f"the operation '{name}'")
    return OPERATIONS[name]


def plain_value(constant: Constant, parameter: Parameter, where: str) -> Any:
    """A constant of the program as the Python value its parameter takes.

    Raises:
        FormatError: of another type.
    """
    kind = parameter.kind
    if isinstance(constant, str):
        if kind is str:
            return constant
    elif kind is tuple:
        if constant.ndim == 1 and _fits(constant, parameter.element):
            return tuple(constant.tolist())
    elif constant.ndim == 0 and _fits(constant, kind):
        return constant.item()
    raise FormatError(f"{where} is not {_describe(parameter)}")


def _fits(constant: NDArray[Any], kind: type | None) -> bool:
    wanted = {bool: np.bool_, int: np.signedinteger, float: np.floating, Number: np.number}
    return kind in wanted and bool(np.issubdtype(constant.dtype, wanted[kind]))


def _describe(parameter: Parameter) -> str:
    if parameter.kind is tuple:
        return f"a list of {parameter.element.__name__}" if parameter.element else "a list"
    return f"a single {parameter.kind.__name__.lower()}"
