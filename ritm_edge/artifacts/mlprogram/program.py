"""From the decoded specification to a checked list of steps.

Everything that can be refused is refused here, before anything is computed: unknown operations,
unknown inputs and attributes, constants of another type, undefined values.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

# Importing these modules fills the registry.
from . import ops_constant, ops_elementwise, ops_reduce, ops_resize, ops_shape, ops_window  # noqa: F401
from .blobs import WeightFile
from .problems import FormatError, UnsupportedError
from .registry import Constant, Operation, Parameter, find, plain_value
from .values import BYTES, STRING, TensorType, parse_type, read_value
from .wire import Decoded

MAIN = "main"
# iOS 15 to 18: the implemented operations mean the same in all of them.
OPSETS = ("CoreML5", "CoreML6", "CoreML7", "CoreML8")
CONST = "const"


@dataclass(frozen=True)
class Step:
    """One operation, ready to run.

    Attributes:
        operation: what to compute.
        name: of its first output, for messages.
        tensors: parameter → name of a value, or names where it takes a list.
        constants: parameter → plain value.
        outputs: name and declared type of each result.
        release: values that no later step uses.
    """

    operation: Operation
    name: str
    tensors: Mapping[str, str | list[str]]
    constants: Mapping[str, Any]
    outputs: tuple[tuple[str, TensorType], ...]
    release: tuple[str, ...]


@dataclass(frozen=True)
class Compiled:
    """A program without its file.

    Attributes:
        inputs, outputs: name → declared type.
        weights: constants that are used as tensors; views of the weight file.
        steps: in order.
    """

    inputs: Mapping[str, TensorType]
    outputs: Mapping[str, TensorType]
    weights: Mapping[str, Tensor]
    steps: tuple[Step, ...]


def compile_program(program: Decoded, weights: Callable[[str], WeightFile]) -> Compiled:
    """Check a program and list its steps.

    Args:
        program: decoded `Program` message.
        weights: opens a weight file by the name that the program uses.

    Raises:
        UnsupportedError: something the evaluator lacks.
        FormatError: a program that contradicts the format or itself.
    """
    function, block = _main_block(program)
    compiler = _Compiler(weights)
    inputs = {value.get("name", ""): compiler.declare(value) for value in function["inputs"]}
    for operation in block["operations"]:
        compiler.add(operation)
    outputs = {}
    for name in block["outputs"]:
        if name not in compiler.types:
            raise FormatError(f"its output '{name}' is never computed")
        outputs[name] = compiler.types[name]
    return Compiled(inputs, outputs, compiler.weights, compiler.finish(set(outputs)))


def _main_block(program: Decoded) -> tuple[Decoded, Decoded]:
    functions = program["functions"]
    if MAIN not in functions:
        raise FormatError(f"its program has no function '{MAIN}'")
    if len(functions) > 1:
        raise UnsupportedError(f"several functions ({', '.join(sorted(functions))})")
    function = functions[MAIN]
    opset = function.get("opset", "")
    if opset not in OPSETS:
        raise UnsupportedError(f"the operation set '{opset}' (known: {', '.join(OPSETS)})")
    if set(function["block_specializations"]) != {opset}:
        raise FormatError(f"its program has no block for the operation set {opset}")
    block = function["block_specializations"][opset]
    if block["inputs"]:
        raise UnsupportedError("a main block with inputs of its own")
    return function, block


class _Compiler:
    """Names seen so far, and the steps that made them."""

    def __init__(self, weights: Callable[[str], WeightFile]) -> None:
        self.types: dict[str, TensorType] = {}
        self.weights: dict[str, Tensor] = {}
        self._open = weights
        self._constants: dict[str, Constant] = {}
        self._steps: list[dict[str, Any]] = []

    def declare(self, value: Decoded) -> TensorType:
        """Add a computed value."""
        name = value.get("name", "")
        if not name or name in self.types or name in self._constants:
            raise FormatError(f"its value '{name}' is defined twice or has no name")
        declared = parse_type(value.get("type", {}), name)
        if declared.dtype == STRING:
            raise UnsupportedError(f"a computed text ('{name}')")
        if declared.dtype in BYTES:
            raise UnsupportedError(f"a computed {declared.dtype} value ('{name}')")
        self.types[name] = declared
        return declared

    def add(self, message: Decoded) -> None:
        """Add one operation."""
        kind = message.get("type", "")
        outputs = message["outputs"]
        name = outputs[0].get("name", "") if outputs else ""
        where = f"the operation '{kind}' ('{name}')"
        if kind == CONST:
            self._add_constant(message, name, where)
            return
        operation = find(kind)
        attributes = {key: v for key, v in message["attributes"].items() if key != "name"}
        unknown = sorted(message["inputs"] if operation.constant else attributes)
        if unknown or message["blocks"]:
            raise UnsupportedError(f"{where} with {', '.join(unknown) or 'a nested block'}")
        tensors: dict[str, str | list[str]] = {}
        constants: dict[str, Any] = {}
        for key, argument in (attributes or message["inputs"]).items():
            if key not in operation.parameters:
                raise UnsupportedError(f"the input '{key}' of {where}")
            parameter = operation.parameters[key]
            bindings = [{"value": argument}] if operation.constant else argument["arguments"]
            names = self._bind(bindings, f"{name}.{key}")
            if parameter.kind is Tensor:
                tensors[key] = self._tensor(_only(names, key, where), where)
            elif parameter.kind is list:
                tensors[key] = [self._tensor(each, where) for each in names]
            else:
                constants[key] = self._constant(_only(names, key, where), key, parameter, where)
        given = tensors.keys() | constants.keys()
        missing = [k for k, p in operation.parameters.items() if p.required and k not in given]
        if missing:
            raise FormatError(f"{where} lacks its input '{missing[0]}'")
        results = tuple((value.get("name", ""), self.declare(value)) for value in outputs)
        self._steps.append(
            {
                "operation": operation,
                "name": name,
                "tensors": tensors,
                "constants": constants,
                "outputs": results,
            }
        )

    def _add_constant(self, message: Decoded, name: str, where: str) -> None:
        unknown = sorted(set(message["attributes"]) - {"name", "val"})
        if unknown:
            raise UnsupportedError(f"{where} with {', '.join(unknown)}")
        if not name or name in self.types or name in self._constants:
            raise FormatError(f"its value '{name}' is defined twice or has no name")
        if "val" not in message["attributes"] or len(message["outputs"]) != 1:
            raise FormatError(f"{where} has no value")
        value = message["attributes"]["val"]
        if parse_type(message["outputs"][0].get("type", {}), name) != parse_type(
            value.get("type", {}), name
        ):
            raise FormatError(f"{where} has a value of another type")
        self._constants[name] = read_value(value, name, self._open)

    def _bind(self, bindings: list[Decoded], name: str) -> list[str]:
        """Names of the bound values; a value written in place becomes a constant."""
        names = []
        for index, binding in enumerate(bindings):
            if "value" in binding:
                key = f"{name}#{index}"
                self._constants[key] = read_value(binding["value"], key, self._open)
                names.append(key)
            else:
                names.append(binding.get("name", ""))
        return names

    def _tensor(self, name: str, where: str) -> str:
        constant = self._constants.get(name)
        if isinstance(constant, str):
            raise FormatError(f"{where} computes with the text '{name}'")
        if constant is not None:
            if name not in self.weights:
                self.weights[name] = torch.from_numpy(constant)
        elif name not in self.types:
            raise FormatError(f"{where} uses '{name}', which is not defined before it")
        return name

    def _constant(self, name: str, key: str, parameter: Parameter, where: str) -> Any:
        if name in self.types:
            raise UnsupportedError(f"{where} with a computed '{key}'")
        if name not in self._constants:
            raise FormatError(f"{where} uses '{name}', which is not defined before it")
        return plain_value(self._constants[name], parameter, f"the input '{key}' of {where}")

    def finish(self, outputs: set[str]) -> tuple[Step, ...]:
        """Steps that release what nobody needs any more."""
        steps: list[Step] = []
        needed = set(outputs)
        for step in reversed(self._steps):
            used = {name for names in step["tensors"].values() for name in _listed(names)}
            made = {name for name, _ in step["outputs"]}
            release = ((used | made) - needed) & self.types.keys()
            needed |= used
            steps.append(Step(**step, release=tuple(sorted(release))))
        return tuple(reversed(steps))


def _only(names: list[str], key: str, where: str) -> str:
    if len(names) != 1:
        raise FormatError(f"the input '{key}' of {where} has {len(names)} values")
    return names[0]


def _listed(names: str | list[str]) -> list[str]:
    return [names] if isinstance(names, str) else names
