"""A runtime whose masks can be foreseen, and sessions on it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ritm_edge.io_spec import CLICKS, IMAGE, MASK, PREV_MASK, IOSpec
from ritm_edge.runtimes.contract import check_inputs
from ritm_edge.session.interactive import InteractiveSession

from ..runtimes import FakeRuntime


class BlobRuntime(FakeRuntime):
    """Selects everything within `radius` network pixels of a positive click, minus negative ones.

    What was selected before stays selected away from clicks.
    """

    name = label = "blob"

    def __init__(self, spec: IOSpec | None = None, *, radius: float = 40) -> None:
        self.spec = spec or IOSpec(max_clicks=None)
        self.radius = radius
        self.calls: list[Mapping[str, NDArray[Any]]] = []

    def run(self, inputs: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
        self.calls.append(inputs)
        arrays = check_inputs(self.spec, inputs)
        height, width = arrays[IMAGE].shape[2:]
        rows, columns = np.mgrid[0:height, 0:width]
        mask = np.full((height, width), 0.05, np.float32)
        if PREV_MASK in arrays:
            mask = np.maximum(mask, 0.9 * arrays[PREV_MASK][0, 0])
        slots = arrays[CLICKS][0]
        for index, (row, column, _) in enumerate(slots):
            if max(row, column) >= 0:
                near = (rows - row) ** 2 + (columns - column) ** 2 <= self.radius**2
                mask[near] = 0.95 if index < len(slots) // 2 else 0.02
        return {MASK: mask[None, None]}


def photo(height: int = 300, width: int = 500) -> NDArray[Any]:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def started(runtime: Any = None, *, size: tuple[int, int] = (300, 500), **options: Any) -> Any:
    session = InteractiveSession(runtime or BlobRuntime(), **options)
    session.set_image(photo(*size))
    return session


def net_sizes(runtime: BlobRuntime) -> list[tuple[int, ...]]:
    return [call[IMAGE].shape[2:] for call in runtime.calls]


def snapshot(session: InteractiveSession) -> tuple[Any, ...]:
    return session.clicks, session.zoom_roi, session.probabilities.tobytes()
