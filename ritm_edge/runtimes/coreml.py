"""Runs .mlpackage folders: with Core ML on macOS, elsewhere with our evaluator of ML Programs."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..artifact import METADATA_KEY, ArtifactInfo
from ..errors import ArtifactError
from ..io_spec import CLICKS, IMAGE, MASK, PREV_MASK
from ..mlprogram.package import Package, open_package
from ..optional import require
from .base import Outputs, Runtime, check_inputs

SUFFIXES = (".mlpackage",)
CORE_ML = "Core ML"
REFERENCE_EVALUATOR = "reference evaluator"


class CoreMLRuntime:
    """One .mlpackage; float32 NCHW in and out.

    Attributes:
        engine: "Core ML" on macOS, "reference evaluator" elsewhere.
    """

    name = "coreml"

    def __init__(self, path: Path, *, threads: int | None = None) -> None:
        """Open the folder.

        Args:
            path: the .mlpackage.
            threads: of the reference evaluator; Core ML decides for itself.

        Raises:
            ArtifactError: damaged, of another kind, or not made by `ritm-edge export`.
            UnsupportedOperationError: the evaluator lacks an operation; its name is in the message.
            MissingExtraError: coremltools (macOS) or PyTorch (elsewhere) is not installed.
        """
        self.path = path
        package = open_package(path)
        self.info: ArtifactInfo | None = ArtifactInfo.from_json(
            package.metadata.get(METADATA_KEY), path
        )
        self.spec = self.info.io
        self._check_contract(package.inputs, package.outputs)
        if sys.platform == "darwin":
            self.engine = CORE_ML
            self._predict = _core_ml(path)
        else:
            self.engine = REFERENCE_EVALUATOR
            self._predict = self._evaluator(package, threads)

    def _check_contract(
        self,
        inputs: Mapping[str, tuple[int, ...]],
        outputs: Mapping[str, tuple[int, ...]],
    ) -> None:
        size, slots = self.spec.size, self.spec.max_clicks
        if size is None or slots is None:
            raise ArtifactError(
                f"{self.path} describes itself as a graph of any size, which .mlpackage files of "
                "ritm-edge never are: export it again."
            )
        shapes = {IMAGE: (1, 3, *size), CLICKS: (1, 2 * slots, 3), PREV_MASK: (1, 1, *size)}
        expected = {name: shapes[name] for name in self.spec.input_names}
        if dict(inputs) != expected or dict(outputs) != {MASK: (1, 1, *size)}:
            raise ArtifactError(
                f"{self.path} has the tensors {dict(inputs)} -> {dict(outputs)}, but describes "
                f"{expected} -> {{'{MASK}': {(1, 1, *size)}}}: export it again."
            )

    def _evaluator(self, package: Package, threads: int | None) -> Any:
        torch = require("torch", extra="torch")
        from ..mlprogram.evaluator import Program

        if threads is not None:
            torch.set_num_threads(threads)
        program = Program(package)
        for declared, described in (
            (program.inputs, package.inputs),
            (program.outputs, package.outputs),
        ):
            if {n: (t.dtype, t.shape) for n, t in declared.items()} != {
                n: ("fp32", shape) for n, shape in described.items()
            }:
                raise ArtifactError(
                    f"{self.path} describes other tensors than its program has: export it again."
                )
        return program.run

    def run(self, inputs: Mapping[str, ArrayLike]) -> Outputs:
        """See `Runtime.run`."""
        arrays: dict[str, NDArray[np.float32]] = {
            name: np.ascontiguousarray(array, np.float32)
            for name, array in check_inputs(self.spec, inputs).items()
        }
        return {MASK: np.asarray(self._predict(arrays)[MASK], np.float32)}


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
    return model.predict


def open_file(path: Path, *, threads: int | None = None) -> Runtime:
    """See `open_runtime`."""
    return CoreMLRuntime(path, threads=threads)
