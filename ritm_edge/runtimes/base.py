"""What every runtime offers, and how one is found for a file."""

import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..artifacts.info import ArtifactInfo, Precision
from ..errors import ArtifactError, CheckpointError, InputFileError, RitmEdgeError, first_line
from ..files import existing_file, refuse_stand_in, sha256_of
from ..io_spec import IMAGE, MASK, IOSpec
from .contract import Tensors, check_inputs, require_mask, require_tensors
from .step_contract import FIXED_LENGTHS, OUTPUT, StepIO, step_contract, with_lengths

Outputs = dict[str, NDArray[np.float32]]


class RuntimeSource(Protocol):
    """How a runtime is opened again, in this process or (it can be pickled) in another."""

    def open(self) -> "Runtime":
        """See `open_runtime`."""
        ...


class Runtime(Protocol):
    """Executes one graph.

    One runtime may be used by several threads at a time, each with a session of its own; a session
    belongs to one thread.

    Attributes:
        name: "pytorch", "onnx", "tflite", "coreml".
        engine: what executes the graph, where a runtime has several; None otherwise.
        label: what people know it by: the path of its file.
        sha256: of the file, or of everything in the folder; 64 hexadecimal digits.
        source: opens another one like it.
        spec: shapes it accepts.
        info: the artifact's self-description; None for a checkpoint.
    """

    name: str
    engine: str | None
    label: str
    spec: IOSpec
    info: ArtifactInfo | None

    @property
    def source(self) -> RuntimeSource: ...

    @property
    def sha256(self) -> str: ...

    def run(self, inputs: Mapping[str, ArrayLike]) -> Outputs:
        """Run once.

        Args:
            inputs: arrays by name as in `io_spec`, NCHW whatever the file stores. `prev_mask`
                may be left out (zeros).

        Returns:
            "mask": float32 [1, 1, H, W], probabilities. Later runs leave it as it is.

        Raises:
            ShapeError: a name or shape that does not fit `spec`.
            ArtifactError: the graph does not execute, or its result is not a map of probabilities.
            CheckpointError: as that, of a checkpoint.
        """
        ...

    def close(self) -> None:
        """Release its resources; it cannot be run afterwards."""
        ...


def precision_of(runtime: Runtime) -> str:
    """That of an artifact; checkpoints are run in float32."""
    return Precision.FP32 if runtime.info is None else runtime.info.precision


@dataclass(frozen=True)
class ModelFile:
    """A file and how it is opened.

    Attributes:
        path: checkpoint or artifact.
        threads: CPU threads; None lets the runtime choose.
        allow_changed: accept a file that changed after it was made.
        info: of an artifact that is not stamped yet; None reads its self-description.
    """

    path: Path
    threads: int | None = None
    allow_changed: bool = False
    info: ArtifactInfo | None = None

    def open(self) -> Runtime:
        """See `open_runtime`."""
        path = existing_file(self.path)
        suffixes = runtime_suffixes()
        if path.suffix.lower() not in suffixes:
            raise InputFileError(
                f"{path} has no known suffix: pass a file ending in {', '.join(sorted(suffixes))}."
            )
        name = suffixes[path.suffix.lower()]
        refuse_stand_in(path, CheckpointError if name == "pytorch" else ArtifactError)
        module = import_module(f"{__package__}.{name}")
        runtime: Runtime = module.open_file(self)
        return runtime


class FileRuntime(ABC):
    """What our runtimes of a file at `path` have in common; each adds how its engine computes.
    Inputs are checked before the engine sees them, and every result before a caller does."""

    name: str
    engine: str | None = None
    # Whether the engine takes calls of several threads at a time; else they wait for each other.
    parallel: ClassVar[bool] = False

    def __init__(self, file: ModelFile, spec: IOSpec, info: ArtifactInfo | None = None) -> None:
        self.source, self.spec, self.info = file, spec, info
        self.path, self.label = file.path, str(file.path)
        self._turn = nullcontext() if self.parallel else Lock()

    @cached_property
    def sha256(self) -> str:
        """See `Runtime`."""
        return sha256_of(self.path)

    def run(self, inputs: Mapping[str, ArrayLike]) -> Outputs:
        """See `Runtime.run`."""
        arrays = check_inputs(self.spec, inputs)
        with self._turn:
            outputs = self._compute(arrays)
        error = CheckpointError if self.info is None else ArtifactError
        require_mask(self.path, outputs.get(MASK), arrays[IMAGE].shape[2:], error)
        return outputs

    @cached_property
    def steps(self) -> Mapping[str, StepIO]:
        """What the session graphs of the file take and give, by name.

        Raises:
            ArtifactError: it has none, or one that takes something else or cannot be loaded.
        """
        session = None if self.info is None else self.info.session
        if session is None or self.spec.size is None:
            raise ArtifactError(f"{self.path} has no session graphs: export it with --session.")
        lengths = {name: session.get(fact) for name, fact in FIXED_LENGTHS.items()}
        steps = step_contract(self.spec)
        for name, step in steps.items():
            with self._turn, self._failing(name):
                declared = self._step_inputs(name)
            what = f"inputs of the session graph {name}"
            require_tensors(self.path, what, declared, with_lengths(step.inputs, lengths))
        return steps

    def step(self, name: str, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Run a session graph, see `session.graph_protocol`; images are NCHW.

        Raises:
            ArtifactError: as `steps`; it does not execute, or gives something else.
        """
        taken, given = self.steps[name]
        with self._turn, self._failing(name):
            outputs = self._step(name, arrays)
        lengths = {
            length: actual
            for tensor, (_, shape) in taken.items()
            for length, actual in zip(shape, arrays[tensor].shape, strict=True)
            if isinstance(length, str)
        }
        found = {each: (array.dtype.name, array.shape) for each, array in outputs.items()}
        what = f"outputs of the session graph {name}"
        require_tensors(self.path, what, found, with_lengths(given, lengths))
        if OUTPUT in outputs:
            require_mask(
                self.path, outputs[OUTPUT][None, None], self.spec.size or (), ArtifactError
            )
        return outputs

    @contextmanager
    def _failing(self, name: str) -> Iterator[None]:
        """Say in one way what an engine says of a session graph."""
        try:
            yield
        except RitmEdgeError:
            raise
        except Exception as error:  # engines have exceptions of their own
            raise ArtifactError(
                f"{self.path}: the session graph {name} fails ({first_line(error)}): export it "
                "again."
            ) from error

    def _step_inputs(self, _name: str) -> Tensors:
        """Declared by the session graph, NCHW."""
        raise ValueError(f"{self.name} runs none")

    def _step(self, _name: str, _arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        raise NotImplementedError

    def close(self) -> None:  # noqa: B027, most engines have nothing to end
        """See `Runtime.close`."""

    @abstractmethod
    def _compute(self, arrays: dict[str, NDArray[Any]]) -> Outputs:
        """Outputs by name, NCHW, in memory that the next call leaves alone."""


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
        path: .onnx, .tflite, .mlpackage, .openvino, .ncnn, .pte, .pth or .safetensors.
        threads: CPU threads; None lets the runtime choose.
        allow_changed: open a file that changed after it was made, for example on purpose.

    Raises:
        InputFileError: no such file, or an unknown suffix.
        ArtifactError, CheckpointError: the file is broken, changed or of another kind.
        MissingExtraError: the runtime's package is not installed.
    """
    return ModelFile(Path(path), threads, allow_changed).open()
