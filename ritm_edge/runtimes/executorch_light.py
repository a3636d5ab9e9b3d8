"""Runs .pte files with executorch-numpy-runtime: the same kernels, without PyTorch."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ArtifactError, UsageError, first_line
from ..optional import require
from .contract import FLOAT32
from .silence import silent_stderr

PACKAGE = "executorch_numpy_runtime"
METHOD = "forward"
FLOAT = 6  # of ExecuTorch's enumeration of types


def is_chosen() -> bool:
    """Where ExecuTorch itself is not installed, and this package is."""
    return find_spec("executorch") is None and find_spec(PACKAGE) is not None


def described(kind: int, sizes: Sequence[int]) -> tuple[str, tuple[int, ...]]:
    """A tensor's type and size as `require_contract` compares them."""
    return FLOAT32 if kind == FLOAT else f"type {kind}", tuple(sizes)


class LightGraph:
    """One undamaged file of ours, float32 arrays in and out by position."""

    def __init__(self, path: Path, content: bytes, *, threads: int | None = None) -> None:
        """Load the file. Raises ArtifactError: the package cannot; UsageError: threads are given,
        of which it has one for each core."""
        if threads is not None:
            raise UsageError(
                f"executorch-numpy-runtime does not take a number of threads ({threads}): leave it "
                "out, or install ExecuTorch itself."
            )
        self.path = path
        with silent_stderr():  # it lists which files about the CPU it looks for
            library = require(PACKAGE, extra="executorch-runtime")
            self._error = library.ExecuTorchError
            try:
                self._method = library.Runtime.get().load_program(content).load_method(METHOD)
                meta = self._method.metadata
            except self._error as error:
                raise ArtifactError(
                    f"{path} cannot be loaded by executorch-numpy-runtime ({first_line(error)}): "
                    "install ExecuTorch itself, or export the file again."
                ) from error
        self.inputs, self.outputs = (
            [described(each["scalar_type"], each["shape"]) for each in meta[kind]]
            for kind in ("inputs", "outputs")
        )

    def run(self, arrays: Sequence[NDArray[np.float32]]) -> list[NDArray[Any]]:
        """Run once. Raises ArtifactError: it failed."""
        try:
            results: list[NDArray[Any]] = self._method(arrays)
        except self._error as error:
            raise ArtifactError(
                f"{self.path} fails while running in executorch-numpy-runtime "
                f"({first_line(error)}): export it again, or free memory."
            ) from error
        return results
