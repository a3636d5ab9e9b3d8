"""Runs .ncnn files with ncnn on the CPU."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..artifacts.info import ArtifactInfo
from ..artifacts.ncnn import INPUT, NcnnFile, check_layers, parse_layers
from ..errors import ArtifactError
from ..files import scratch_folder
from ..io_spec import MASK
from ..optional import require
from .base import FileRuntime, ModelFile, Outputs, float32_arrays
from .contract import FLOAT32, require_contract

SUFFIXES = (".ncnn",)
# By default ncnn computes in half precision on processors that can, which moves clicks.
HALF_PRECISION = (
    "use_fp16_packed",
    "use_fp16_storage",
    "use_fp16_arithmetic",
    "use_bf16_packed",
    "use_bf16_storage",
)
# On the first Vulkan device: float16 tensors with float32 arithmetic, and float16 throughout.
VULKAN_STORAGE = {"use_vulkan_compute": True, "use_fp16_packed": True, "use_fp16_storage": True}
VULKAN_ARITHMETIC = {**VULKAN_STORAGE, "use_fp16_arithmetic": True}


class NcnnGraph:
    """One loaded graph; float32 arrays without a batch axis in and out by name."""

    def __init__(
        self,
        path: Path,
        file: NcnnFile,
        *,
        threads: int | None = None,
        options: Mapping[str, bool] = MappingProxyType({}),
    ) -> None:
        ncnn = self._ncnn = require("ncnn", extra="ncnn")
        self.path = path
        try:
            layers = parse_layers(file.graph.decode())
            self.inputs = {each.outputs[0]: each.shape for each in layers if each.kind == INPUT}
            used = {name for layer in layers for name in layer.inputs}
            self.outputs = [n for layer in layers for n in layer.outputs if n not in used]
        except (ValueError, IndexError) as error:
            raise ArtifactError(
                f"{path} has no readable list of layers ({error}): export it again."
            ) from error
        unknown = sorted({layer.kind for layer in layers if ncnn.layer_to_index(layer.kind) < 0})
        if unknown:
            raise ArtifactError(
                f"{path} needs {unknown[0]}, which the installed ncnn does not have: install the "
                "version that the file was made with, or export it again."
            )
        try:
            check_layers(layers, file.weights)
        except (ValueError, OverflowError) as error:
            raise ArtifactError(
                f"{path} is not as ritm-edge export writes it ({error}): export it again."
            ) from error
        self._net = ncnn.Net()
        for name in HALF_PRECISION:
            setattr(self._net.opt, name, False)
        for name, value in options.items():
            setattr(self._net.opt, name, value)
        if self._net.opt.use_vulkan_compute:
            self._net.set_vulkan_device(0)
        if threads is not None:
            self._net.opt.num_threads = threads
        # From files: read from memory, ncnn does not notice where the weights end.
        with scratch_folder() as folder:
            graph, weights = folder / NcnnFile.GRAPH, folder / NcnnFile.WEIGHTS
            graph.write_bytes(file.graph)
            weights.write_bytes(file.weights)
            if self._net.load_param(str(graph)) or self._net.load_model(str(weights)):
                raise ArtifactError(f"{path} cannot be loaded by ncnn: export it again.")

    def run(
        self, arrays: Mapping[str, NDArray[np.float32]], names: Sequence[str]
    ) -> Iterator[tuple[str, NDArray[np.float32]]]:
        """Compute the named arrays of the graph, in the order of execution (ncnn discards values
        after their use), given all of its inputs. Raises ArtifactError: ncnn failed."""
        extractor = self._net.create_extractor()
        for name, array in arrays.items():
            # A clone, because ncnn reads beyond the end of its arrays and only its own have room.
            extractor.input(name, self._ncnn.Mat(array).clone())
        for name in names:
            code, result = extractor.extract(name)
            if code:
                raise ArtifactError(
                    f"{self.path} failed in ncnn (code {code}): export it again, or free memory."
                )
            yield name, np.array(result)


class NcnnRuntime(FileRuntime):
    """One .ncnn file of fixed size; float32 NCHW in and out."""

    name = "ncnn"
    parallel = True  # each run has an extractor of its own

    def __init__(self, file: ModelFile, options: Mapping[str, bool] = MappingProxyType({})) -> None:
        """Open the file, see `open_runtime`; `options` are ncnn's own, instead of ours: with
        `VULKAN_STORAGE` and `VULKAN_ARITHMETIC` it computes as on a phone's GPU."""
        path = file.path
        zipped = NcnnFile.read(path, allow_changed=file.allow_changed)
        info = file.info or ArtifactInfo.from_json(zipped.description, path)
        super().__init__(file, info.io, info)
        self._graph = NcnnGraph(path, zipped, threads=file.threads, options=options)
        # The format knows neither batch nor types, and shapes of inputs only.
        inputs = {name: (FLOAT32, (1, *shape)) for name, shape in self._graph.inputs.items()}
        outputs = {n: (FLOAT32, info.io.shapes().get(n, ())) for n in self._graph.outputs}
        require_contract(path, info.io, inputs, outputs)

    def _compute(self, arrays: dict[str, NDArray[Any]]) -> Outputs:
        inputs = {name: array[0] for name, array in float32_arrays(arrays).items()}
        ((_, mask),) = self._graph.run(inputs, [MASK])
        return {MASK: mask[None]}


open_file = NcnnRuntime
