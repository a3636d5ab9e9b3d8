"""Runs an ML Program: every operation in its declared type, on the CPU, with PyTorch kernels."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from ...errors import first_line
from .package import Package
from .problems import FormatError, UnsupportedError, problems_of
from .program import Compiled, Step, compile_program
from .registry import TORCH_DTYPES
from .values import NUMPY_DTYPES, TensorType

DTYPE_NAMES = {dtype: name for name, dtype in TORCH_DTYPES.items()}


class Program:
    """One opened program, with its declared types of inputs and outputs by name.

    It is walked once when it is opened, with shapes and types but without data: what Core ML would
    compute must have the declared type of every value. Nothing that a file claims can therefore
    fail, or grow beyond its declaration, in the middle of a run.

    Attributes:
        not_finite: the first value of any run with `half` that was infinite or NaN.
    """

    def __init__(self, package: Package) -> None:
        """Check everything. Raises UnsupportedOperationError: an operation, input, attribute or
        type that is not implemented; the message names it; ArtifactError: damaged, or contradicting
        itself."""
        self.package = package
        with problems_of(package.path):
            self._compiled: Compiled = compile_program(package.program, package.weights)
            self._check_types()
        self.inputs = self._compiled.inputs
        self.outputs = self._compiled.outputs
        self.not_finite: str | None = None

    def run(
        self, inputs: Mapping[str, ArrayLike], *, half: bool = False
    ) -> dict[str, NDArray[Any]]:
        """Compute every output, in the declared types and shapes, from inputs by name in the
        declared shapes, which are converted to the declared types. `half` rounds inputs, weights
        and every result to float16, as a device that knows nothing else."""
        values = {
            name: torch.from_numpy(np.array(inputs[name], NUMPY_DTYPES[declared.dtype]))
            for name, declared in self.inputs.items()
        }
        with torch.inference_mode(), problems_of(self.package.path):
            self._walk(values, self._compiled.weights, half=half)
        return {name: np.array(values[name].numpy()) for name in self.outputs}

    def _check_types(self) -> None:
        values = {
            name: torch.empty(
                declared.shape, dtype=TORCH_DTYPES[declared.dtype], device=torch.device("meta")
            )
            for name, declared in self._compiled.inputs.items()
        }
        weights = {name: value.to("meta") for name, value in self._compiled.weights.items()}
        with torch.inference_mode(), torch.device("meta"):
            self._walk(values, weights)

    def _walk(
        self, values: dict[str, Tensor], weights: Mapping[str, Tensor], *, half: bool = False
    ) -> None:
        if half:
            values |= {name: _rounded(value) for name, value in values.items()}
            weights = {name: _rounded(value) for name, value in weights.items()}
        for step in self._compiled.steps:
            result = _execute(step, values, weights)
            if half:
                result = _rounded(result)
                if self.not_finite is None and not bool(torch.isfinite(result).all()):
                    self.not_finite = f"{step.operation.name} '{step.name}'"
            values[step.name] = result
            for name in step.release:
                del values[name]


def _rounded(value: Tensor) -> Tensor:
    return value.half().float() if value.dtype == torch.float32 else value


def _execute(step: Step, values: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> Tensor:
    def look_up(name: str) -> Tensor:
        return values[name] if name in values else weights[name]

    tensors = {
        key: look_up(names) if isinstance(names, str) else [look_up(name) for name in names]
        for key, names in step.tensors.items()
    }
    where = f"the operation '{step.operation.name}' ('{step.name}')"
    _check_dtypes(step, tensors, where)
    try:
        result = step.operation.apply(**tensors, **step.constants)
    except UnsupportedError as error:
        raise UnsupportedError(f"{error} in {where}") from error
    except (RuntimeError, ArithmeticError, IndexError, TypeError, ValueError) as error:
        raise FormatError(f"{where} cannot be executed ({first_line(error)})") from error
    got = TensorType(DTYPE_NAMES.get(result.dtype, str(result.dtype)), tuple(result.shape))
    if got != step.declared:
        raise FormatError(f"{where} gives {got}, but declares {step.declared}")
    return result


def _check_dtypes(step: Step, tensors: Mapping[str, Tensor | list[Tensor]], where: str) -> None:
    """Operands of one operation share one type, fp16 or fp32."""
    used = {
        DTYPE_NAMES[tensor.dtype]
        for key, value in tensors.items()
        if key not in step.operation.free
        for tensor in (value if isinstance(value, list) else [value])
    }
    if len(used) > 1:
        raise FormatError(f"{where} mixes {' and '.join(sorted(used))}")
    if not used <= {"fp16", "fp32"}:
        raise UnsupportedError(f"{', '.join(used)} operands in {where}")
