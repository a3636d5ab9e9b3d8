"""Enforces the graph contract: what goes in, what a file declares, what comes out."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ArtifactError, InputFileError, ShapeError
from ..io_spec import CLICKS, IMAGE, MASK, PREV_MASK, IOSpec, Shape

FLOAT32 = "float32"
# How far float32 kernels may leave 0…1: a sigmoid made of an exponential and a division rounds.
SLACK = 1e-3

Tensors = Mapping[str, tuple[str, Shape]]  # type and shape by name


def check_inputs(spec: IOSpec, inputs: Mapping[str, ArrayLike]) -> dict[str, NDArray[Any]]:
    """Arrays in contract order, checked by name, then by shape; types are left as they are. Raises
    ShapeError: lists every problem."""
    unknown = sorted(inputs.keys() - set(spec.input_names))
    missing = sorted({IMAGE, CLICKS} - inputs.keys())
    if unknown or missing:
        raise ShapeError(
            f"inputs missing: {missing}, unknown: {unknown}; this graph takes "
            f"{', '.join(spec.input_names)}."
        )
    arrays = {name: np.asarray(inputs[name]) for name in spec.input_names if name in inputs}
    image = arrays[IMAGE]
    expected = spec.shapes((image.shape[2], image.shape[3]) if image.ndim == 4 else None)
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


def require_contract(path: Path, spec: IOSpec, inputs: Tensors, outputs: Tensors) -> None:
    """Refuse a file whose tensors, in NCHW, are not those that its self-description promises.
    Raises ArtifactError: other names, types, ranks or lengths."""
    promised: dict[str, tuple[str, Shape]] = {n: (FLOAT32, s) for n, s in spec.shapes().items()}
    mask = {MASK: promised.pop(MASK)}
    require_tensors(path, "inputs", inputs, promised)
    require_tensors(path, "outputs", outputs, mask)


def require_tensors(path: Path, what: str, found: Tensors, promised: Tensors) -> None:
    """Refuse a graph whose inputs or outputs, called `what`, are not the promised ones. Raises
    ArtifactError: other names, types, ranks or lengths; it shows those that differ."""
    if found != promised:
        expected, actual = (
            {name: tensor for name, tensor in these.items() if others.get(name) != tensor}
            for these, others in ((promised, found), (found, promised))
        )
        raise ArtifactError(
            f"{path} describes the {what} {expected} but has {actual}: export it again."
        )


def require_mask(path: Path, mask: Any, size: tuple[int, ...], error: type[InputFileError]) -> None:
    """Refuse a result that is not a map of probabilities; the cost is a pass over all values.
    Raises InputFileError: the given `error`: no float32 array [1, 1, *size], or not within 0…1."""
    dtype, shape = getattr(mask, "dtype", type(mask).__name__), getattr(mask, "shape", ())
    problem = f"{dtype} {list(shape)} instead of float32 {[1, 1, *size]}"
    if dtype == np.float32 and shape == (1, 1, *size):
        low, high = mask.min(), mask.max()
        if low >= -SLACK and high <= 1 + SLACK:  # false for NaN
            return
        problem = f"values from {low:.3g} to {high:.3g} instead of probabilities"
    raise error(f"{path} returns a mask of {problem}: get an undamaged file or export it again.")
