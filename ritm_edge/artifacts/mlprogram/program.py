"""From the specification to a checked list of steps.

Everything that can be refused is refused here, before anything is computed: unknown operations,
unknown inputs and attributes, constants of another type, undefined values.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

# Importing these modules fills the registry.
from . import ops_elementwise, ops_layers, ops_shape  # noqa: F401
from .problems import FormatError, UnsupportedError
from .registry import OPERATIONS, Constant, Operation, plain_value
from .values import INT8, STRING, TensorType, parse_type, read_value
from .weights import WeightFile

MAIN = "main"
OPSET = "CoreML6"  # iOS 16, which our exports are made for
CONST = "const"


@dataclass(frozen=True)
class Step:
    """One operation, ready to run: parameter → name of a value, or names where it takes a list;
    parameter → plain value; and the values to `release` since no later step uses them."""

    operation: Operation
    name: str
    tensors: Mapping[str, str | list[str]]
    constants: Mapping[str, Any]
    declared: TensorType
    release: tuple[str, ...] = ()


@dataclass(frozen=True)
class Compiled:
    """A program without its file: declared types of inputs and outputs by name, and the constants
    that are used as tensors."""

    inputs: Mapping[str, TensorType]
    outputs: Mapping[str, TensorType]
    weights: Mapping[str, Tensor]
    steps: tuple[Step, ...]


def compile_program(program: Any, weights: Callable[[str], WeightFile]) -> Compiled:
    """Check a program, the `Program` message, and list its steps; `weights` opens a weight file by
    the name that the program uses. Raises UnsupportedError: something the evaluator lacks;
    FormatError: a program that contradicts the format or itself."""
    function, block = _main_block(program)
    compiler = _Compiler(weights)
    inputs = {value.name: compiler.declare(value) for value in function.inputs}
    for operation in block.operations:
        compiler.add(operation)
    outputs = {}
    for name in block.outputs:
        if name not in compiler.types:
            raise FormatError(f"its output '{name}' is never computed")
        outputs[name] = compiler.types[name]
    return Compiled(inputs, outputs, compiler.weights, compiler.finish(set(outputs)))


def _main_block(program: Any) -> tuple[Any, Any]:
    functions = program.functions
    if MAIN not in functions:
        raise FormatError(f"its program has no function '{MAIN}'")
    if len(functions) > 1:
        raise UnsupportedError(f"several functions ({', '.join(sorted(functions))})")
    function = functions[MAIN]
    if function.opset != OPSET:
        raise UnsupportedError(f"the operation set '{function.opset}' (known: {OPSET})")
    if set(function.block_specializations) != {OPSET}:
        raise FormatError(f"its program has no block for the operation set {OPSET}")
    block = function.block_specializations[OPSET]
    if block.inputs:
        raise UnsupportedError("a main block with inputs of its own")
    return function, block


class _Compiler:
    """Names seen so far, and the steps that made them."""

    def __init__(self, weights: Callable[[str], WeightFile]) -> None:
        self.types: dict[str, TensorType] = {}
        self.weights: dict[str, Tensor] = {}
        self._open = weights
        self._constants: dict[str, Constant] = {}
        self._steps: list[Step] = []

    def declare(self, value: Any) -> TensorType:
        """Add a computed value, a `NamedValueType`."""
        self._require_new(value.name)
        declared = parse_type(value.type, value.name)
        if declared.dtype == STRING:
            raise UnsupportedError(f"a computed text ('{value.name}')")
        if declared.dtype == INT8:
            raise UnsupportedError(f"a computed int8 value ('{value.name}')")
        self.types[value.name] = declared
        return declared

    def add(self, message: Any) -> None:
        """Add one `Operation`."""
        name = message.outputs[0].name if message.outputs else ""
        where = f"the operation '{message.type}' ('{name}')"
        attributes = {key: v for key, v in message.attributes.items() if key != "name"}
        if message.type == CONST:
            self._add_constant(message, attributes, name, where)
            return
        if message.type not in OPERATIONS:
            raise UnsupportedError(where)
        operation = OPERATIONS[message.type]
        unknown = sorted(message.inputs if operation.constant else attributes)
        if unknown or message.blocks:
            raise UnsupportedError(f"{where} with {', '.join(unknown) or 'a nested block'}")
        tensors: dict[str, str | list[str]] = {}
        constants: dict[str, Any] = {}
        for key, argument in (attributes or message.inputs).items():
            if key not in operation.parameters:
                raise UnsupportedError(f"the input '{key}' of {where}")
            parameter = operation.parameters[key]
            if operation.constant:
                names = [f"{name}.{key}"]
                self._constants[names[0]] = read_value(argument, names[0], self._open)
            else:
                names = [binding.name for binding in argument.arguments]
                if not all(names):
                    raise UnsupportedError(f"a value in place of the input '{key}' of {where}")
            if parameter.kind is Tensor:
                tensors[key] = self._tensor(_only(names, key, where), where)
            elif parameter.kind == list[Tensor]:
                tensors[key] = [self._tensor(each, where) for each in names]
            else:
                constants[key] = self._constant(
                    _only(names, key, where), key, parameter.kind, where
                )
        given = tensors.keys() | constants.keys()
        missing = [k for k, p in operation.parameters.items() if p.required and k not in given]
        if missing:
            raise FormatError(f"{where} lacks its input '{missing[0]}'")
        if len(message.outputs) != 1:
            raise FormatError(f"{where} declares {len(message.outputs)} outputs")
        declared = self.declare(message.outputs[0])
        self._steps.append(Step(operation, name, tensors, constants, declared))

    def _add_constant(
        self, message: Any, attributes: dict[str, Any], name: str, where: str
    ) -> None:
        unknown = sorted(attributes.keys() - {"val"})
        if unknown:
            raise UnsupportedError(f"{where} with {', '.join(unknown)}")
        self._require_new(name)
        if "val" not in attributes or len(message.outputs) != 1:
            raise FormatError(f"{where} has no value")
        value = attributes["val"]
        if parse_type(message.outputs[0].type, name) != parse_type(value.type, name):
            raise FormatError(f"{where} has a value of another type")
        self._constants[name] = read_value(value, name, self._open)

    def _require_new(self, name: str) -> None:
        if not name or name in self.types or name in self._constants:
            raise FormatError(f"its value '{name}' is defined twice or has no name")

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

    def _constant(self, name: str, key: str, kind: Any, where: str) -> Any:
        if name in self.types:
            raise UnsupportedError(f"{where} with a computed '{key}'")
        if name not in self._constants:
            raise FormatError(f"{where} uses '{name}', which is not defined before it")
        return plain_value(self._constants[name], kind, f"the input '{key}' of {where}")

    def finish(self, outputs: set[str]) -> tuple[Step, ...]:
        """Steps that release what nobody needs any more."""
        steps: list[Step] = []
        needed = set(outputs)
        for step in reversed(self._steps):
            listed = ([n] if isinstance(n, str) else n for n in step.tensors.values())
            used = {name for names in listed for name in names}
            release = ((used | {step.name}) - needed) & self.types.keys()
            needed |= used
            steps.append(replace(step, release=tuple(sorted(release))))
        return tuple(reversed(steps))


def _only(names: list[str], key: str, where: str) -> str:
    if len(names) != 1:
        raise FormatError(f"the input '{key}' of {where} has {len(names)} values")
    return names[0]
