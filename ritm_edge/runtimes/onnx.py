"""Runs .onnx files with ONNX Runtime on the CPU."""

import hashlib
from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from ..artifacts.checksum import read_whole, require_unchanged
from ..artifacts.info import METADATA_KEY, ArtifactInfo
from ..errors import ArtifactError, MissingExtraError
from ..io_spec import MASK
from ..optional import require
from .base import FileRuntime, ModelFile, Outputs, float32_arrays
from .contract import FLOAT32, Tensors, require_contract

SUFFIXES = (".onnx",)
SESSION_SUFFIX = ".session"  # of the folder beside a file that holds its session graphs
TYPES = {"tensor(float)": FLOAT32, "tensor(uint8)": "uint8"}
FATAL_ONLY = 4  # ONNX Runtime's own log would interleave with ours


def open_session(model: str | bytes, *, threads: int | None = None, optimize: bool = True) -> Any:
    """An ONNX Runtime session on the CPU that writes no log, from the path or content of an .onnx
    file; threads, for one operation, of None leave the choice to ONNX Runtime. Raises
    MissingExtraError: ONNX Runtime is not installed; Exception: ONNX Runtime's own, where it cannot
    take the model."""
    ort = require("onnxruntime", extra="onnx-runtime")
    options = ort.SessionOptions()
    options.log_severity_level = FATAL_ONLY
    if threads is not None:
        options.intra_op_num_threads = threads
    if not optimize:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


class OnnxRuntime(FileRuntime):
    """One .onnx file; float32 NCHW in and out."""

    name = "onnx"
    parallel = True

    def __init__(self, file: ModelFile) -> None:
        """Open the file, see `open_runtime`."""
        path = file.path
        content = read_whole(path)
        checked = not file.allow_changed and require_unchanged(path, content)
        try:
            # The bytes that were checked, not the file again: it may change in between. What others
            # saved may have weights beside it, which are found from its path only.
            self._session = open_session(content if checked else str(path), threads=file.threads)
            properties = self._session.get_modelmeta().custom_metadata_map
        except MissingExtraError:
            raise
        except Exception as error:  # ONNX Runtime's exceptions share no public base class
            raise ArtifactError(
                f"{path} cannot be loaded as ONNX ({type(error).__name__}): it is damaged or of "
                "another kind; export it again."
            ) from error
        info = file.info or ArtifactInfo.from_json(properties.get(METADATA_KEY), path)
        super().__init__(file, info.io, info)
        self._steps: dict[str, Any] = {}
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        require_contract(path, info.io, _tensors(inputs), _tensors(outputs))

    def _compute(self, arrays: dict[str, NDArray[Any]]) -> Outputs:
        try:
            (mask,) = self._session.run([MASK], float32_arrays(arrays))
        except Exception as error:  # as above
            raise ArtifactError(
                f"{self.path} fails while running ({type(error).__name__}): export it again."
            ) from error
        return {MASK: mask}

    def _step_inputs(self, name: str) -> Tensors:
        assert self.info is not None
        assert self.info.session is not None
        file = self.path.with_suffix(SESSION_SUFFIX) / f"{name}.onnx"
        content = read_whole(file)
        files = self.info.session.get("files") or {}
        if hashlib.sha256(content).hexdigest() != files.get(name):
            raise ArtifactError(
                f"{file} is not the session graph that {self.path} was exported with: copy both "
                "again, or export again."
            )
        self._steps[name] = open_session(content, threads=self.source.threads)
        return _tensors(self._steps[name].get_inputs())

    def _step(self, name: str, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        graph = self._steps[name]
        names = [output.name for output in graph.get_outputs()]
        return dict(zip(names, graph.run(names, dict(arrays)), strict=True))


def _tensors(declared: Any) -> Tensors:
    return {v.name: (TYPES.get(v.type, v.type), tuple(map(_length, v.shape))) for v in declared}


def _length(declared: Any) -> int | None:
    return declared if isinstance(declared, int) else None  # a name, or none: any length


open_file = OnnxRuntime
