"""Runs .openvino files with OpenVINO on the CPU."""

import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..artifacts.info import ArtifactInfo
from ..artifacts.openvino import OpenVinoFile
from ..errors import ArtifactError
from ..optional import require
from .base import FileRuntime, ModelFile, Outputs, float32_arrays
from .contract import require_contract

SUFFIXES = (".openvino",)
TELEMETRY = "openvino_telemetry"


def import_openvino() -> ModuleType:
    """Import it without its telemetry: the package reports its own import to its maker, but uses an
    empty stand-in where the telemetry package cannot be imported. Raises MissingExtraError:
    OpenVINO is not installed."""
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
            self.inputs, self.outputs = (
                {p.any_name: (p.get_element_type().to_dtype().name, tuple(p.shape)) for p in ports}
                for ports in (model.inputs, model.outputs)
            )
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


class OpenVinoRuntime(FileRuntime):
    """One .openvino file of fixed size; float32 NCHW in and out."""

    name = "openvino"

    def __init__(self, file: ModelFile) -> None:
        """Open the file, see `open_runtime`."""
        path = file.path
        zipped = OpenVinoFile.read(path, allow_changed=file.allow_changed)
        info = file.info or ArtifactInfo.from_json(zipped.description, path)
        super().__init__(file, info.io, info)
        self._graph = OpenVinoGraph(path, zipped, threads=file.threads)
        require_contract(path, info.io, self._graph.inputs, self._graph.outputs)

    def _compute(self, arrays: dict[str, NDArray[Any]]) -> Outputs:
        return self._graph.run(float32_arrays(arrays))


open_file = OpenVinoRuntime
