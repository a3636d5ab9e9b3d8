"""Bilinear resizing as the network was evaluated with: corner-aligned, no antialiasing, float32.

Corner-aligned means that the centres of the outermost pixels stay where they are. OpenCV offers no
such mode that is exact to float32 (`remap` rounds its weights to 1/32), and PyTorch is not a
dependency of a session, hence NumPy.
"""

import numpy as np
from numpy.typing import NDArray


def resize_bilinear(array: NDArray[np.generic], size: tuple[int, int]) -> NDArray[np.float32]:
    """Resize the first two axes.

    Equals `torch.nn.functional.interpolate(mode="bilinear", align_corners=True)` on float32 to the
    last bit or two.

    Args:
        array: [h, w] or [h, w, channels], any real type; h, w ≥ 1.
        size: (H, W) ≥ 1; an output of one row or column takes the first one of the input.

    Returns:
        float32 [H, W] or [H, W, channels] in the units of the input; never a view of it.
    """
    if array.shape[:2] == tuple(size):
        return array.astype(np.float32)
    # The axis that shrinks the data most goes first, so that the other one has less to do.
    first = 0 if size[0] * array.shape[1] <= size[1] * array.shape[0] else 1
    for axis in (first, 1 - first):
        array = _resize_axis(array, size[axis], axis)
    return array.astype(np.float32, copy=False)


def _resize_axis(array: NDArray[np.generic], size: int, axis: int) -> NDArray[np.float32]:
    length = array.shape[axis]
    if length == size:
        return array.astype(np.float32, copy=False)
    # Positions are formed in float32, as PyTorch does: their rounding decides the last digits.
    step = np.float32(length - 1) / np.float32(size - 1) if size > 1 else np.float32(0)
    position = step * np.arange(size, dtype=np.float32)
    low = np.minimum(position.astype(np.int64), length - 1)
    high = np.minimum(low + 1, length - 1)
    shape = [1] * array.ndim
    shape[axis] = size
    weight = np.clip(position - low.astype(np.float32), 0, 1).reshape(shape).astype(np.float32)
    result = array.take(low, axis).astype(np.float32, copy=False) * (1 - weight)
    upper = array.take(high, axis).astype(np.float32, copy=False) * weight
    result += upper
    return result
