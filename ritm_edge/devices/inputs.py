"""Inputs to time with, the same on every device."""

import numpy as np
from numpy.typing import NDArray

from ..clicks import Click, pack_clicks
from ..io_spec import CLICKS, IMAGE, PREV_MASK, IOSpec

POSITIVE, NEGATIVE = 2, 1  # clicks: a usual moment of a session
UNLIMITED_SLOTS = 2  # per sign, for a checkpoint: as many as the clicks need


def round_inputs(
    spec: IOSpec, size: tuple[int, int], *, seed: int, index: int
) -> dict[str, NDArray[np.float32]]:
    """Inputs of one round of a measurement, float32 by name: image [1, 3, H, W] of whole numbers in
    0…255, clicks [1, 2K, 3], prev_mask [1, 1, H, W] in 0…1. They depend on nothing but the
    arguments; `spec` decides the slots and whether there is a `prev_mask`, not the values."""
    height, width = size
    generator = np.random.default_rng((seed, index))
    image = generator.integers(0, 256, (1, 3, height, width)).astype(np.float32)
    places = generator.random((POSITIVE + NEGATIVE, 2)) * (height - 1, width - 1)
    centre = generator.random(2) * (height - 1, width - 1)
    rows, columns = np.mgrid[:height, :width]
    distance = np.hypot(rows - centre[0], columns - centre[1])
    prev_mask = np.clip(1.5 - distance / (0.25 * min(size)), 0, 1)
    slots = spec.max_clicks or UNLIMITED_SLOTS
    positive = min(POSITIVE, slots)
    clicks = [
        Click(row, column, positive=order < positive, order=order)
        for order, (row, column) in enumerate(places[: positive + NEGATIVE])
    ]
    inputs = {IMAGE: image, CLICKS: pack_clicks(clicks, max_clicks=slots).astype(np.float32)}
    if spec.prev_mask:
        inputs[PREV_MASK] = prev_mask[None, None].astype(np.float32)
    return inputs
