"""Small ML Programs for tests, written with coremltools' own builder."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from numpy.typing import NDArray

from ritm_edge.artifacts.mlprogram.library import import_coremltools
from ritm_edge.errors import MissingExtraError
from ritm_edge.export.quiet import quiet

try:
    ct = import_coremltools()
    from coremltools.converters.mil import Builder as mb
    from coremltools.converters.mil.mil import types
    from coremltools.proto import Model_pb2
except MissingExtraError as error:
    pytest.skip(str(error), allow_module_level=True)

__all__ = ["Model_pb2", "ct", "edit_model", "main_block", "mb", "sample", "types", "write_program"]


def write_program(
    path: Path,
    build: Callable[..., Any],
    *shapes: tuple[int, ...],
    opset: Any = None,
) -> Path:
    """Write an .mlpackage that computes `build(a, b, …)` from float32 inputs.

    No optimisation runs: the file contains exactly the operations that `build` calls.
    """
    opset = opset or ct.target.iOS16
    specs = [mb.TensorSpec(shape=shape, dtype=types.fp32) for shape in shapes]
    # The builder reads the names of the inputs from the signature.
    by_count = {
        1: lambda a: build(a),
        2: lambda a, b: build(a, b),
        3: lambda a, b, c: build(a, b, c),
    }
    program = mb.program(input_specs=specs, opset_version=opset)(by_count[len(shapes)])
    # A full collection per program would be nine tenths of the time of these tests.
    with quiet(), patch("gc.collect"):
        model = ct.convert(
            program,
            convert_to="mlprogram",
            compute_precision=ct.precision.FLOAT32,
            minimum_deployment_target=opset,
            pass_pipeline=ct.PassPipeline.EMPTY,
            skip_model_load=True,
        )
        model.save(str(path))
    return path


def edit_model(path: Path, edit: Callable[[Any], None]) -> None:
    """Change the decoded specification of a package in place."""
    file = path / "Data" / "com.apple.CoreML" / "model.mlmodel"
    model = Model_pb2.Model.FromString(file.read_bytes())
    edit(model)
    file.write_bytes(model.SerializeToString())


def main_block(model: Any) -> Any:
    """The block of the main function of a decoded specification."""
    function = model.mlProgram.functions["main"]
    return function.block_specializations[function.opset]


def sample(shape: tuple[int, ...], seed: int = 0) -> NDArray[np.float32]:
    """float32 values, normally distributed, deterministic."""
    return np.random.default_rng((seed, *shape)).normal(size=shape).astype(np.float32)
