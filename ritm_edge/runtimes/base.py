"""What every runtime offers, and how one is found for a file."""

import pkgutil
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..artifact import ArtifactInfo
from ..errors import InputFileError, ShapeError
from ..files import existing_file
from ..io_spec import CLICKS, IMAGE, PREV_MASK, IOSpec

Outputs = dict[str, NDArray[np.float32]]


class Runtime(Protocol):
    """Executes one graph on the CPU.

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
            "mask": float32 [1, 1, H, W].

        Raises:
            ShapeError: a name or shape that does not fit `spec`.
        """
        ...


def check_inputs(spec: IOSpec, inputs: Mapping[str, ArrayLike]) -> dict[str, NDArray[Any]]:
    """Arrays in contract order, checked by name, then by shape; types are left as they are.

    Raises:
        ShapeError: lists every problem.
    """
    unknown = sorted(inputs.keys() - set(spec.input_names))
    missing = sorted({IMAGE, CLICKS} - inputs.keys())
    if unknown or missing:
        raise ShapeError(
            f"inputs missing: {missing}, unknown: {unknown}; this graph takes "
            f"{', '.join(spec.input_names)}."
        )
    arrays = {name: np.asarray(inputs[name]) for name in spec.input_names if name in inputs}
    image = arrays[IMAGE]
    size = spec.size or (image.shape[2:] if image.ndim == 4 else (None, None))
    slots = None if spec.max_clicks is None else 2 * spec.max_clicks
    expected = {IMAGE: (1, 3, *size), CLICKS: (1, slots, 3), PREV_MASK: (1, 1, *size)}
    if spec.prev_mask and PREV_MASK not in arrays and image.ndim == 4:
        arrays[PREV_MASK] = np.zeros((1, 1, *image.shape[2:]), np.float32)
    wrong = [
        f"{name} is {list(array.shape)} instead of {list(expected[name])}"
        for name, array in arrays.items()
        if len(array.shape) != len(expected[name])
        or any(e not in (None, got) for e, got in zip(expected[name], array.shape, strict=True))
    ]
    if wrong:
        raise ShapeError(f"{'; '.join(wrong)}: pass NCHW arrays of the graph's size.")
    return arrays


def runtime_suffixes() -> dict[str, str]:
    """File suffix → name of the runtime module that opens it."""
    package = import_module(__package__)
    found: dict[str, str] = {}
    for module in pkgutil.iter_modules(package.__path__):
        if module.name != "base":
            for suffix in import_module(f"{__package__}.{module.name}").SUFFIXES:
                found[suffix] = module.name
    return found


def open_runtime(path: str | Path, *, threads: int | None = None) -> Runtime:
    """Open a checkpoint or artifact with the runtime its suffix calls for.

    Args:
        path: .onnx, .tflite, .mlpackage, .pth or .safetensors.
        threads: CPU threads; None lets the runtime choose.

    Raises:
        InputFileError: no such file, or an unknown suffix.
        ArtifactError, CheckpointError: the file is broken or of another kind.
        MissingExtraError: the runtime's package is not installed.
    """
    path = existing_file(Path(path))
    suffixes = runtime_suffixes()
    if path.suffix.lower() not in suffixes:
        raise InputFileError(
            f"{path} has no known suffix: pass a file ending in {', '.join(sorted(suffixes))}."
        )
    module = import_module(f"{__package__}.{suffixes[path.suffix.lower()]}")
    runtime: Runtime = module.open_file(path, threads=threads)
    return runtime
