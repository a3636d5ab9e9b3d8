"""Runs .mlpackage folders: with Core ML on macOS, elsewhere with our evaluator of ML Programs."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..artifacts.info import METADATA_KEY, ArtifactInfo
from ..artifacts.mlprogram.package import Package, open_package
from ..errors import ArtifactError
from ..io_spec import MASK, IOSpec
from ..optional import require
from .base import FileRuntime, ModelFile, Outputs, float32_arrays
from .contract import FLOAT32, require_contract

SUFFIXES = (".mlpackage",)
CORE_ML = "Core ML"
REFERENCE_EVALUATOR = "reference evaluator"


class CoreMLRuntime(FileRuntime):
    """One .mlpackage, float32 NCHW in and out; its engine is "Core ML" on macOS, "reference
    evaluator" elsewhere."""

    name = "coreml"  # not parallel: Apple allows one prediction of a model at a time

    def __init__(self, file: ModelFile) -> None:
        """Open the folder, see `open_runtime`; Core ML decides on threads for itself. Raises
        UnsupportedOperationError: the evaluator lacks an operation; its name is in the message."""
        path = file.path
        package = open_package(path, checked=not file.allow_changed)
        info = file.info or ArtifactInfo.from_json(package.metadata.get(METADATA_KEY), path)
        super().__init__(file, info.io, info)
        tensors = [
            {name: (FLOAT32, shape) for name, shape in described.items()}
            for described in (package.inputs, package.outputs)
        ]
        require_contract(path, info.io, *tensors)
        if sys.platform == "darwin":
            self.engine = CORE_ML
            self._predict = _core_ml(path)
        else:
            self.engine = REFERENCE_EVALUATOR
            self._predict = _evaluator(package, info.io, file.threads)

    def _compute(self, arrays: dict[str, NDArray[Any]]) -> Outputs:
        return {MASK: self._predict(float32_arrays(arrays))[MASK]}


def _evaluator(package: Package, spec: IOSpec, threads: int | None) -> Any:
    torch = require("torch", extra="torch")
    from ..artifacts.mlprogram.evaluator import Program
    from ..artifacts.mlprogram.values import NUMPY_DTYPES

    if threads is not None:
        torch.set_num_threads(threads)
    program = Program(package)
    # Its program may have other tensors than the description around it.
    tensors = [
        {name: (NUMPY_DTYPES[each.dtype].name, each.shape) for name, each in declared.items()}
        for declared in (program.inputs, program.outputs)
    ]
    require_contract(package.path, spec, *tensors)
    return program.run


def _core_ml(path: Path) -> Any:
    coremltools = require("coremltools", extra="coreml")
    try:
        # CPU only: in fp32 it is the unit every Mac has, and the one parity is claimed for.
        model = coremltools.models.MLModel(
            str(path), compute_units=coremltools.ComputeUnit.CPU_ONLY
        )
    except Exception as error:  # Core ML's errors arrive as RuntimeError or plain Exception
        raise ArtifactError(
            f"Core ML cannot load {path} ({type(error).__name__}): export it again."
        ) from error
    # Declared as float32, whatever type coremltools hands it out in.
    return lambda arrays: {MASK: np.asarray(model.predict(arrays)[MASK], np.float32)}


open_file = CoreMLRuntime
