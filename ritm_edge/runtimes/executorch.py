"""Runs .pte files with ExecuTorch and its XNNPACK kernels on the CPU.

Where ExecuTorch is not installed, and executorch-numpy-runtime is, that one runs them.
"""

from collections.abc import Sequence
from functools import cache
from itertools import zip_longest
from pathlib import Path
from threading import Lock
from typing import Any
from weakref import WeakSet

import numpy as np
from numpy.typing import NDArray

from ..artifacts.executorch import read_program
from ..artifacts.info import ArtifactInfo
from ..errors import ArtifactError, first_line
from ..io_spec import MASK
from ..optional import require
from .base import FileRuntime, ModelFile, Outputs, float32_arrays
from .contract import Tensors, require_contract
from .executorch_light import METHOD, LightGraph, described, is_chosen
from .silence import silent_stderr

SUFFIXES = (".pte",)
# The process has one pool of threads, and loaded graphs point into it: one thread at a time changes
# the pool, loads or runs.
_ENGINE = Lock()
_loaded: "WeakSet[ExecutorchGraph]" = WeakSet()


@cache
def _library() -> tuple[Any, int]:
    """ExecuTorch's native module, and how many threads it chose.

    Its Python wrapper imports the whole exporter too: seconds, for nothing that is used here.
    """
    require("torch", extra="executorch")  # whose libraries the module needs
    with silent_stderr():  # it lists which files about the CPU it looks for
        library = require("executorch.extension.pybindings._C", extra="executorch")
        return library, library._threadpool_get_thread_count()


class ExecutorchGraph:
    """One undamaged file of ours, float32 arrays in and out by position; the format has no
    names."""

    def __init__(self, path: Path, content: bytes, *, threads: int | None = None) -> None:
        self.path, self._content = path, content
        self._method: Any = None
        with _ENGINE:
            self._threads = threads or _library()[1]
            method = self._load()
        meta = method.method_meta()
        self.inputs = [_described(meta.input_tensor_meta(i)) for i in range(meta.num_inputs())]
        self.outputs = [_described(meta.output_tensor_meta(i)) for i in range(meta.num_outputs())]

    def run(self, arrays: Sequence[NDArray[np.float32]]) -> list[NDArray[Any]]:
        """Run once."""
        import torch

        with _ENGINE:
            try:
                results = self._load().call([torch.from_numpy(array) for array in arrays])
            except RuntimeError as error:
                raise ArtifactError(
                    f"{self.path} fails while running in ExecuTorch ({first_line(error)}): export "
                    "it again, or free memory."
                ) from error
        return [result.numpy() for result in results]

    def _load(self) -> Any:
        """The method, after the pool has the right size."""
        library, _ = _library()
        if library._threadpool_get_thread_count() != self._threads:
            for graph in list(_loaded):
                graph._method = None
            with silent_stderr():
                library._unsafe_reset_threadpool(self._threads)
        if self._method is None:
            try:
                with silent_stderr():
                    # The bytes that were checked, not the file again: it may change in between.
                    self._program = library._load_program_from_buffer(self._content)
                    self._method = self._program.load_method(METHOD)
            except (RuntimeError, ValueError, IndexError) as error:
                raise ArtifactError(
                    f"{self.path} cannot be loaded by ExecuTorch ({first_line(error)}): export it "
                    "again with the installed version."
                ) from error
            _loaded.add(self)
        return self._method


class ExecutorchRuntime(FileRuntime):
    """One .pte file of fixed size; float32 NCHW in and out."""

    name = "executorch"

    def __init__(self, file: ModelFile) -> None:
        """Open the file, see `open_runtime`."""
        path = file.path
        content, text = read_program(path, allow_changed=file.allow_changed)
        info = file.info or ArtifactInfo.from_json(text, path)
        super().__init__(file, info.io, info)
        engine = LightGraph if is_chosen() else ExecutorchGraph
        self._graph = engine(path, content, threads=file.threads)
        names = info.io.input_names, (MASK,)
        found = self._graph.inputs, self._graph.outputs
        require_contract(path, info.io, *map(_named, names, found))

    def _compute(self, arrays: dict[str, NDArray[Any]]) -> Outputs:
        converted = float32_arrays(arrays)
        return {MASK: self._graph.run([converted[name] for name in self.spec.input_names])[0]}


open_file = ExecutorchRuntime


def _described(meta: Any) -> tuple[str, tuple[int, ...]]:
    return described(meta.dtype(), meta.sizes())


def _named(names: Sequence[str], tensors: Sequence[tuple[str, tuple[int, ...]]]) -> Tensors:
    """In the order of the contract; what is there beyond it is called by its number."""
    pairs = enumerate(zip_longest(names, tensors))
    return {name or f"tensor {i}": tensor for i, (name, tensor) in pairs if tensor is not None}
