"""The simulated user of the evaluation: clicks the middle of the largest error."""

from collections.abc import Collection
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..clicks import Click
from ..errors import ShapeError


def next_click(
    truth: NDArray[np.integer[Any]],
    predicted: NDArray[np.bool_],
    clicked: Collection[tuple[int, int]] = (),
    *,
    order: int = 0,
) -> Click:
    """The pixel farthest from the border of its error region.

    Missed object pixels and wrongly selected ones are judged apart; the image border and ignored
    pixels end a region. Positive only where the missed part is strictly deeper. Of equal pixels
    the first in reading order is taken; so a perfect mask gives a negative click at (0, 0).

    Args:
        truth: integers [H, W]: 1 object, −1 ignored, anything else background.
        predicted: bool [H, W].
        clicked: (row, column) of earlier clicks, never chosen as the deepest pixel again.
        order: of the new click, the number of earlier ones.

    Raises:
        ShapeError: `predicted` has another size than `truth`.
    """
    if truth.ndim != 2 or truth.shape != predicted.shape:
        raise ShapeError(
            f"the truth is {list(truth.shape)} and the mask {list(predicted.shape)}: pass two "
            "arrays [height, width] of the same size."
        )
    is_object = truth == 1
    missed = squared_depth(is_object & ~predicted)
    wrong = squared_depth(~is_object & (truth != -1) & predicted)
    for row, column in clicked:
        missed[row, column] = wrong[row, column] = 0
    positive = bool(missed.max() > wrong.max())
    deepest = int(np.argmax(missed if positive else wrong))
    row, column = divmod(deepest, truth.shape[1])
    return Click(float(row), float(column), positive=positive, order=order)


def squared_depth(region: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Squared distance in pixels of each pixel of `region`, bool [H, W], to the nearest pixel
    outside it or the image: int32 [H, W], exact for distances up to 2,800 pixels."""
    padded = np.pad(region, 1).astype(np.uint8)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    # Whole numbers compare alike whatever the rounding of OpenCV's square root.
    squared: NDArray[np.int32] = np.rint(distance.astype(np.float64) ** 2).astype(np.int32)
    return squared
