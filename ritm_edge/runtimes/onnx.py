"""Runs .onnx files with ONNX Runtime on the CPU."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..artifact import METADATA_KEY, ArtifactInfo
from ..errors import ArtifactError, MissingExtraError
from ..io_spec import MASK
from ..optional import require
from .base import Outputs, Runtime, check_inputs

SUFFIXES = (".onnx",)
FATAL_ONLY = 4  # ONNX Runtime's own log would interleave with ours


def open_session(model: str | bytes, *, threads: int | None = None, optimize: bool = True) -> Any:
    """An ONNX Runtime session on the CPU that writes no log.

    Args:
        model: path or content of an .onnx file.
        threads: for one operation; None leaves the choice to ONNX Runtime.
        optimize: fuse and reorder operations.

    Raises:
        MissingExtraError: ONNX Runtime is not installed.
        Exception: ONNX Runtime's own, where it cannot take the model.
    """
    ort = require("onnxruntime", extra="onnx")
    options = ort.SessionOptions()
    options.log_severity_level = FATAL_ONLY
    if threads is not None:
        options.intra_op_num_threads = threads
    if not optimize:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


class OnnxRuntime:
    """One .onnx file; float32 NCHW in and out."""

    name = "onnx"

    def __init__(self, path: Path, *, threads: int | None = None) -> None:
        """Open the file.

        Raises:
            ArtifactError: damaged, or not made by `ritm-edge export`.
            MissingExtraError: ONNX Runtime is not installed.
        """
        self.path = path
        try:
            self._session = open_session(str(path), threads=threads)
            properties = self._session.get_modelmeta().custom_metadata_map
        except MissingExtraError:
            raise
        except Exception as error:  # ONNX Runtime's exceptions share no public base class
            raise ArtifactError(
                f"{path} cannot be loaded as ONNX ({type(error).__name__}): it is damaged or of "
                "another kind; export it again."
            ) from error
        self.info: ArtifactInfo | None = ArtifactInfo.from_json(properties.get(METADATA_KEY), path)
        self.spec = self.info.io
        self._check_contract()

    def _check_contract(self) -> None:
        inputs = tuple(value.name for value in self._session.get_inputs())
        outputs = tuple(value.name for value in self._session.get_outputs())
        if inputs != self.spec.input_names or outputs != (MASK,):
            raise ArtifactError(
                f"{self.path} has the tensors {inputs} -> {outputs}, but describes "
                f"{self.spec.input_names} -> ('{MASK}',): export it again."
            )

    def run(self, inputs: Mapping[str, ArrayLike]) -> Outputs:
        """See `Runtime.run`.

        Raises:
            ArtifactError: the graph does not execute.
        """
        arrays: dict[str, Any] = {
            name: np.ascontiguousarray(array, np.float32)
            for name, array in check_inputs(self.spec, inputs).items()
        }
        try:
            (mask,) = self._session.run([MASK], arrays)
        except Exception as error:  # as above
            raise ArtifactError(
                f"{self.path} fails while running ({type(error).__name__}): export it again."
            ) from error
        return {MASK: mask}


def open_file(path: Path, *, threads: int | None = None) -> Runtime:
    """See `open_runtime`."""
    return OnnxRuntime(path, threads=threads)
