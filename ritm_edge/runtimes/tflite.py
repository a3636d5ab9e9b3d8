"""Runs .tflite artifacts with LiteRT (the TFLite interpreter) and its XNNPACK kernels."""

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..artifact import METADATA_KEY, ArtifactInfo
from ..errors import ArtifactError
from ..io_spec import CLICKS, IMAGE, MASK, PREV_MASK, IOSpec
from ..optional import require
from ..tflite_file import metadata_text, unseal
from .base import Outputs, Runtime, check_inputs

SUFFIXES = (".tflite",)
SIGNATURE = "serving_default"
Shapes = dict[str, tuple[int, ...]]


class TFLiteGraph:
    """One undamaged file of ours in the interpreter; arrays NCHW outside, NHWC inside.

    Attributes:
        inputs, outputs: shape by name as the file stores it (NHWC).
    """

    def __init__(self, path: Path, flatbuffer: bytes, *, threads: int | None = None) -> None:
        litert = require("ai_edge_litert.interpreter", extra="tflite")
        try:
            # The bytes that were checked, not the file again: it may change in between.
            with _silent_stderr():
                self._interpreter = litert.Interpreter(
                    model_content=flatbuffer, num_threads=threads
                )
                self._interpreter.allocate_tensors()
            self._runner = self._interpreter.get_signature_runner(SIGNATURE)
        except (ValueError, RuntimeError) as error:
            raise ArtifactError(
                f"{path} cannot be loaded by LiteRT ({_first_line(error)}): export it again with "
                "the installed version."
            ) from error
        self.inputs = _shapes(self._runner.get_input_details())
        self.outputs = _shapes(self._runner.get_output_details())

    def run(self, arrays: Mapping[str, NDArray[Any]]) -> Outputs:
        """Run once; arrays of four axes are NCHW."""
        results = self._runner(**{name: _to_file(array) for name, array in arrays.items()})
        return {name: _from_file(array) for name, array in results.items()}


class TFLiteRuntime:
    """Executes an exported graph in float32."""

    name = "tflite"

    def __init__(self, path: Path, *, threads: int | None = None) -> None:
        flatbuffer = unseal(path)
        self.path = path
        text = metadata_text(flatbuffer, METADATA_KEY, path)
        self.info: ArtifactInfo | None = ArtifactInfo.from_json(text, path)
        self.spec = self.info.io
        self._graph = TFLiteGraph(path, flatbuffer, threads=threads)
        _require_contract(path, self.spec, self._graph)

    def run(self, inputs: Mapping[str, ArrayLike]) -> Outputs:
        """See `Runtime.run`."""
        return self._graph.run(check_inputs(self.spec, inputs))


def open_file(path: Path, *, threads: int | None = None) -> Runtime:
    """See `open_runtime`. LiteRT's own choice of threads is one."""
    return TFLiteRuntime(path, threads=threads)


def run_unstamped(path: Path, inputs: Mapping[str, ArrayLike]) -> Outputs:
    """Run a converted graph that is not an artifact, such as the click maps alone.

    Args:
        path: written by the export target, without a self-description.
        inputs: arrays by name, NCHW where they have four axes.

    Returns:
        Outputs by name, NCHW where they have four axes.

    Raises:
        ArtifactError: the file is damaged or not of this project.
    """
    graph = TFLiteGraph(path, unseal(path))
    return graph.run({name: np.asarray(array) for name, array in inputs.items()})


def _require_contract(path: Path, spec: IOSpec, graph: TFLiteGraph) -> None:
    """The file must have exactly the tensors its self-description promises."""
    if spec.size is None or spec.max_clicks is None:
        raise ArtifactError(f"{path} describes no fixed size, which TFLite needs: export it again.")
    height, width = spec.size
    all_inputs: Shapes = {
        IMAGE: (1, height, width, 3),
        CLICKS: (1, 2 * spec.max_clicks, 3),
        PREV_MASK: (1, height, width, 1),
    }
    inputs = {name: all_inputs[name] for name in spec.input_names}
    outputs: Shapes = {MASK: (1, height, width, 1)}
    for kind, promised, found in (
        ("inputs", inputs, graph.inputs),
        ("outputs", outputs, graph.outputs),
    ):
        if promised != found:
            raise ArtifactError(
                f"{path} describes the {kind} {promised} but has {found}: export it again."
            )


@contextlib.contextmanager
def _silent_stderr() -> Iterator[None]:
    """Drop what native code writes: LiteRT announces XNNPACK on every load and has no switch."""
    try:
        kept = os.dup(2)
    except OSError:  # no stderr, nothing to silence
        yield
        return
    try:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _shapes(details: Mapping[str, Mapping[str, Any]]) -> Shapes:
    return {name: tuple(int(n) for n in entry["shape"]) for name, entry in details.items()}


def _to_file(array: NDArray[Any]) -> NDArray[np.float32]:
    if array.ndim == 4:
        array = array.transpose(0, 2, 3, 1)
    return np.ascontiguousarray(array, np.float32)


def _from_file(array: NDArray[np.float32]) -> NDArray[np.float32]:
    # Outputs are copied by the runner already; only the order of the axes is left to change.
    return np.ascontiguousarray(array.transpose(0, 3, 1, 2)) if array.ndim == 4 else array


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:120] if lines else type(error).__name__
