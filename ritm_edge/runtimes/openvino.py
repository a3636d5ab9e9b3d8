"""Runs .openvino files with OpenVINO on the CPU."""

import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..artifact import ArtifactInfo
from ..errors import ArtifactError
from ..io_spec import CLICKS, IMAGE, MASK, PREV_MASK
from ..openvino_file import OpenVinoFile
from ..optional import require
from .base import Outputs, Runtime, check_inputs

SUFFIXES = (".openvino",)
TELEMETRY = "openvino_telemetry"


def import_openvino() -> ModuleType:
    """Import it without its telemetry.

    The package reports its own import to its maker; where the telemetry package cannot be
    imported it uses an empty stand-in.

    Raises:
        MissingExtraError: OpenVINO is not installed.
    """
    if "openvino" not in sys.modules:
        sys.modules[TELEMETRY] = None  # type: ignore[assignment]
    return require("openvino", extra="openvino")


class OpenVinoGraph:
    """One compiled graph; float32 arrays in and out by name."""

    def __init__(self, path: Path, file: OpenVinoFile, *, threads: int | None = None) -> None:
        openvino = import_openvino()
        options: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            # Its own choice is bfloat16 where the CPU has that: other masks on other machines.
            "INFERENCE_PRECISION_HINT": "f32",
        }
        if threads is not None:
            options["INFERENCE_NUM_THREADS"] = threads
        try:
            core = openvino.Core()
            # The bytes that were checked, not the file again.
            model = core.read_model(file.graph, file.weights)
            self.inputs = {port.any_name: tuple(port.shape) for port in model.inputs}
            self.outputs = {port.any_name: tuple(port.shape) for port in model.outputs}
            self._request = core.compile_model(model, "CPU", options).create_infer_request()
        except Exception as error:  # OpenVINO's exceptions are plain RuntimeError and others
            raise ArtifactError(
                f"{path} cannot be loaded by OpenVINO ({type(error).__name__}): export it again "
                "with the installed version."
            ) from error

    def run(self, arrays: Mapping[str, NDArray[np.float32]]) -> Outputs:
        results = self._request.infer(dict(arrays))
        # Copied: OpenVINO's arrays are overwritten by the next run.
        return {port.any_name: np.array(array) for port, array in results.items()}


class OpenVinoRuntime:
    """One .openvino file of fixed size; float32 NCHW in and out."""

    name = "openvino"

    def __init__(self, path: Path, *, threads: int | None = None) -> None:
        """Open the file.

        Raises:
            ArtifactError: damaged, or not made by `ritm-edge export`.
            MissingExtraError: OpenVINO is not installed.
        """
        file = OpenVinoFile.read(path)
        self.path = path
        self.info: ArtifactInfo | None = ArtifactInfo.from_json(file.description, path)
        self.spec = self.info.io
        self._graph = OpenVinoGraph(path, file, threads=threads)
        self._check_contract()

    def _check_contract(self) -> None:
        size, slots = self.spec.size, self.spec.max_clicks
        if size is None or slots is None:
            raise ArtifactError(
                f"{self.path} describes itself as a graph of any size, which .openvino files of "
                "ritm-edge never are: export it again."
            )
        shapes = {IMAGE: (1, 3, *size), CLICKS: (1, 2 * slots, 3), PREV_MASK: (1, 1, *size)}
        expected = {name: shapes[name] for name in self.spec.input_names}
        outputs = {MASK: (1, 1, *size)}
        if self._graph.inputs != expected or self._graph.outputs != outputs:
            raise ArtifactError(
                f"{self.path} has the tensors {self._graph.inputs} -> {self._graph.outputs}, but "
                f"describes {expected} -> {outputs}: export it again."
            )

    def run(self, inputs: Mapping[str, ArrayLike]) -> Outputs:
        """See `Runtime.run`."""
        return self._graph.run(
            {
                name: np.ascontiguousarray(array, np.float32)
                for name, array in check_inputs(self.spec, inputs).items()
            }
        )


def open_file(path: Path, *, threads: int | None = None) -> Runtime:
    """See `open_runtime`."""
    return OpenVinoRuntime(path, threads=threads)
