"""Runs .ncnn files with ncnn on the CPU."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..artifact import ArtifactInfo
from ..errors import ArtifactError
from ..io_spec import CLICKS, IMAGE, MASK, PREV_MASK
from ..ncnn_file import INPUT, NcnnFile, parse_layers
from ..optional import require
from .base import Outputs, Runtime, check_inputs

SUFFIXES = (".ncnn",)
# Half precision is a default of ncnn on processors that calculate with it, which moves clicks.
HALF_PRECISION = (
    "use_fp16_packed",
    "use_fp16_storage",
    "use_fp16_arithmetic",
    "use_bf16_packed",
    "use_bf16_storage",
)


class NcnnGraph:
    """One loaded graph; float32 arrays without a batch axis in and out by name."""

    def __init__(self, path: Path, file: NcnnFile, *, threads: int | None = None) -> None:
        ncnn = self._ncnn = require("ncnn", extra="ncnn")
        self.path = path
        try:
            layers = parse_layers(file.graph.decode())
            self.inputs = {each.outputs[0]: each.shape for each in layers if each.kind == INPUT}
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
        self._net = ncnn.Net()
        for name in HALF_PRECISION:
            setattr(self._net.opt, name, False)
        if threads is not None:
            self._net.opt.num_threads = threads
        # From files: read from memory, ncnn does not notice where the weights end.
        with tempfile.TemporaryDirectory(prefix="ritm-edge-ncnn-") as folder:
            graph, weights = Path(folder, NcnnFile.GRAPH), Path(folder, NcnnFile.WEIGHTS)
            graph.write_bytes(file.graph)
            weights.write_bytes(file.weights)
            if self._net.load_param(str(graph)) or self._net.load_model(str(weights)):
                raise ArtifactError(f"{path} cannot be loaded by ncnn: export it again.")

    def run(
        self, arrays: Mapping[str, NDArray[np.float32]], names: Sequence[str]
    ) -> Iterator[tuple[str, NDArray[np.float32]]]:
        """Calculate arrays of the graph, given all of its inputs.

        Args:
            arrays: the inputs.
            names: of arrays, in the order of execution: what was used is forgotten.

        Raises:
            ArtifactError: ncnn failed.
        """
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


class NcnnRuntime:
    """One .ncnn file of fixed size; float32 NCHW in and out."""

    name = "ncnn"

    def __init__(self, path: Path, *, threads: int | None = None) -> None:
        """Open the file.

        Raises:
            ArtifactError: damaged, or not made by `ritm-edge export`.
            MissingExtraError: ncnn is not installed.
        """
        file = NcnnFile.read(path)
        self.path = path
        self.info: ArtifactInfo | None = ArtifactInfo.from_json(file.description, path)
        self.spec = self.info.io
        self._graph = NcnnGraph(path, file, threads=threads)
        self._check_contract()

    def _check_contract(self) -> None:
        size, slots = self.spec.size, self.spec.max_clicks
        if size is None or slots is None:
            raise ArtifactError(
                f"{self.path} describes itself as a graph of any size, which .ncnn files of "
                "ritm-edge never are: export it again."
            )
        shapes = {IMAGE: (3, *size), CLICKS: (2 * slots, 3), PREV_MASK: (1, *size)}
        expected = {name: shapes[name] for name in self.spec.input_names}
        if self._graph.inputs != expected:
            raise ArtifactError(
                f"{self.path} has the inputs {self._graph.inputs}, but describes {expected}: "
                "export it again."
            )

    def run(self, inputs: Mapping[str, ArrayLike]) -> Outputs:
        """See `Runtime.run`.

        Raises:
            ArtifactError: the graph fails, or makes no mask of the described size.
        """
        arrays = {
            name: np.ascontiguousarray(array[0], np.float32)
            for name, array in check_inputs(self.spec, inputs).items()
        }
        ((_, mask),) = self._graph.run(arrays, [MASK])
        if mask.shape != (1, self.spec.height, self.spec.width):
            raise ArtifactError(
                f"{self.path} makes a mask of the shape {list(mask.shape)}, not the described "
                f"{self.spec.height}x{self.spec.width}: export it again."
            )
        return {MASK: mask[None]}


def open_file(path: Path, *, threads: int | None = None) -> Runtime:
    """See `open_runtime`."""
    return NcnnRuntime(path, threads=threads)
