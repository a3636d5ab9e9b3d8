"""Runs .tflite artifacts with LiteRT (the TFLite interpreter) and its XNNPACK kernels."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..artifacts.info import METADATA_KEY, ArtifactInfo
from ..artifacts.tflite import metadata_text, read_flatbuffer
from ..errors import ArtifactError, first_line
from ..optional import require
from .base import FileRuntime, ModelFile, Outputs
from .contract import Tensors, require_contract
from .silence import silent_stderr

SUFFIXES = (".tflite",)
SIGNATURE = "serving_default"


class TFLiteGraph:
    """One undamaged file of ours in the interpreter, and types and shapes of its inputs and outputs
    by name; arrays NCHW outside, NHWC inside."""

    def __init__(self, path: Path, flatbuffer: bytes, *, threads: int | None = None) -> None:
        litert = require("ai_edge_litert.interpreter", extra="tflite-runtime")
        try:
            # The bytes that were checked, not the file again: it may change in between.
            with silent_stderr():  # it announces XNNPACK on every load
                self._interpreter = litert.Interpreter(
                    model_content=flatbuffer, num_threads=threads
                )
                self._interpreter.allocate_tensors()
            runner = self._interpreter.get_signature_runner(SIGNATURE)
            self._runners = {SIGNATURE: (runner, runner.get_input_details())}
        except (ValueError, RuntimeError) as error:
            raise ArtifactError(
                f"{path} cannot be loaded by LiteRT ({first_line(error)}): export it again with "
                "the installed version."
            ) from error
        self.inputs = _tensors(runner.get_input_details())
        self.outputs = _tensors(runner.get_output_details())

    def inputs_of(self, signature: str) -> Tensors:
        """Type and shape of its inputs by name. Raises ValueError: there is none of that name."""
        if signature not in self._runners:
            runner = self._interpreter.get_signature_runner(signature)
            self._runners[signature] = runner, runner.get_input_details()
        return _tensors(self._runners[signature][1])

    def run(self, arrays: Mapping[str, NDArray[Any]], signature: str = SIGNATURE) -> Outputs:
        """Run once; arrays of four axes are NCHW."""
        runner, declared = self._runners[signature]
        if arrays.keys() - declared.keys():
            raise ValueError(f"{signature} takes {', '.join(declared)}, not {', '.join(arrays)}")
        given = {n: _to_file(array, declared[n]["dtype"]) for n, array in arrays.items()}
        results = runner(**given)
        return {name: _from_file(array) for name, array in results.items()}


class TFLiteRuntime(FileRuntime):
    """Executes an exported graph in float32; LiteRT's own choice of threads is one."""

    name = "tflite"

    def __init__(self, file: ModelFile) -> None:
        """Open the file, see `open_runtime`."""
        path = file.path
        flatbuffer = read_flatbuffer(path, allow_changed=file.allow_changed)
        info = file.info or ArtifactInfo.from_json(
            metadata_text(flatbuffer, METADATA_KEY, path), path
        )
        super().__init__(file, info.io, info)
        self._graph = TFLiteGraph(path, flatbuffer, threads=file.threads)
        require_contract(path, info.io, self._graph.inputs, self._graph.outputs)

    def _compute(self, arrays: dict[str, NDArray[Any]]) -> Outputs:
        return self._graph.run(arrays)

    def _step_inputs(self, name: str) -> Tensors:
        return self._graph.inputs_of(name)

    def _step(self, name: str, arrays: Mapping[str, NDArray[Any]]) -> Outputs:
        return self._graph.run(arrays, name)


open_file = TFLiteRuntime


def _tensors(details: Mapping[str, Mapping[str, Any]]) -> Tensors:
    shapes = {name: tuple(map(int, entry["shape"])) for name, entry in details.items()}
    nchw = {n: (s[0], s[3], s[1], s[2]) if len(s) == 4 else s for n, s in shapes.items()}
    return {name: (np.dtype(details[name]["dtype"]).name, shape) for name, shape in nchw.items()}


def _to_file(array: NDArray[Any], declared: type[np.generic]) -> NDArray[Any]:
    if array.ndim == 4:
        array = array.transpose(0, 2, 3, 1)
    return np.ascontiguousarray(array, declared)


def _from_file(array: NDArray[np.float32]) -> NDArray[np.float32]:
    # Outputs are copied by the runner already; only the order of the axes is left to change.
    return np.ascontiguousarray(array.transpose(0, 3, 1, 2)) if array.ndim == 4 else array
