"""What every runtime offers, and how one is found for a file."""

import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..artifacts.info import ArtifactInfo
from ..errors import ArtifactError, CheckpointError, InputFileError
from ..files import existing_file
from ..io_spec import IMAGE, MASK, IOSpec
from .contract import check_inputs, require_mask

Outputs = dict[str, NDArray[np.float32]]


class Runtime(Protocol):
    """Executes one graph on the CPU.

    One runtime may be used by several threads at a time, each with a session of its own; a session
    belongs to one thread.

    Attributes:
        name: "pytorch", "onnx", "tflite", "coreml".
        path: the file it was opened from.
        spec: shapes it accepts.
        info: the artifact's self-description; None for a checkpoint.
    """

    name: str
    path: Path
    spec: IOSpec
    info: ArtifactInfo | None

    def run(self, inputs: Mapping[str, ArrayLike]) -> Outputs:
        """Run once.

        Args:
            inputs: arrays by name as in `io_spec`, NCHW whatever the file stores. `prev_mask`
                may be left out (zeros).

        Returns:
            "mask": float32 [1, 1, H, W], probabilities. Later runs leave it as it is.

        Raises:
            ShapeError: a name or shape that does not fit `spec`.
            ArtifactError: the graph does not execute, or its result is no map of probabilities.
            CheckpointError: as that, of a checkpoint.
        """
        ...


class FileRuntime(ABC):
    """What our runtimes have in common; each adds how its engine computes.

    Inputs are checked before the engine sees them, and every result before a caller does.

    Attributes: as `Runtime`.
    """

    name: str
    # Whether the engine takes calls of several threads at a time; else they wait for each other.
    parallel: ClassVar[bool] = False

    def __init__(self, path: Path, spec: IOSpec, info: ArtifactInfo | None = None) -> None:
        self.path, self.spec, self.info = path, spec, info
        self._turn = nullcontext() if self.parallel else Lock()

    def run(self, inputs: Mapping[str, ArrayLike]) -> Outputs:
        """See `Runtime.run`."""
        arrays = check_inputs(self.spec, inputs)
        with self._turn:
            outputs = self._compute(arrays)
        error = CheckpointError if self.info is None else ArtifactError
        require_mask(self.path, outputs.get(MASK), arrays[IMAGE].shape[2:], error)
        return outputs

    @abstractmethod
    def _compute(self, arrays: dict[str, NDArray[Any]]) -> Outputs:
        """Outputs by name, NCHW, in memory that the next call leaves alone.

        Args:
            arrays: from `check_inputs`.
        """


def float32_arrays(arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
    """The arrays as most engines take them: float32 and contiguous."""
    return {name: np.ascontiguousarray(array, np.float32) for name, array in arrays.items()}


def runtime_suffixes() -> dict[str, str]:
    """File suffix → name of the runtime module that opens it."""
    package = import_module(__package__)
    found: dict[str, str] = {}
    for module in pkgutil.iter_modules(package.__path__):
        if module.name != "base":
            opened = import_module(f"{__package__}.{module.name}")
            found |= dict.fromkeys(getattr(opened, "SUFFIXES", ()), module.name)
    return found


def open_runtime(
    path: str | Path, *, threads: int | None = None, allow_changed: bool = False
) -> Runtime:
    """Open a checkpoint or artifact with the runtime its suffix calls for.

    Args:
        path: .onnx, .tflite, .mlpackage, .openvino, .ncnn, .pth or .safetensors.
        threads: CPU threads; None lets the runtime choose.
        allow_changed: open a file that changed after it was made, as after a re-save on purpose.

    Raises:
        InputFileError: no such file, or an unknown suffix.
        ArtifactError, CheckpointError: the file is broken, changed or of another kind.
        MissingExtraError: the runtime's package is not installed.
    """
    path = existing_file(Path(path))
    suffixes = runtime_suffixes()
    if path.suffix.lower() not in suffixes:
        raise InputFileError(
            f"{path} has no known suffix: pass a file ending in {', '.join(sorted(suffixes))}."
        )
    module = import_module(f"{__package__}.{suffixes[path.suffix.lower()]}")
    runtime: Runtime = module.open_file(path, threads=threads, allow_changed=allow_changed)
    return runtime
