"""Simulated users; the published one clicks the middle of the largest error."""

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..clicks import Click
from ..errors import ShapeError, UsageError

# Squared depth in pixels of what `border` clicks: at most two pixels inside the region.
NEAR_BORDER = 4
USERS = "jitter=PIXELS, border or random"


@dataclass(frozen=True)
class User:
    """Somebody who aims at the same region as the published user and clicks elsewhere in it.

    Attributes:
        kind: "jitter" misses the middle by a normal distribution in each axis; "border" clicks any
            pixel near the region's border; "random" any pixel of it.
        pixels: standard deviation of "jitter".
        seed: of everything random; the same seed clicks alike.
    """

    kind: str
    pixels: float = 0.0
    seed: tuple[int, ...] = (0,)

    def place(self, depth: NDArray[np.int32], middle: tuple[int, int]) -> tuple[int, int]:
        """The pixel that is clicked, given the squared depths of all errors of that sign."""
        generator = np.random.default_rng([*self.seed, *middle])
        if self.kind == "jitter":
            missed = np.rint(np.array(middle) + generator.normal(0.0, self.pixels, 2))
            row, column = np.clip(missed, 0, np.array(depth.shape) - 1)
            return int(row), int(column)
        _, labels = cv2.connectedComponents((depth > 0).astype(np.uint8), connectivity=4)
        chosen = labels == labels[middle]
        if self.kind == "border":
            chosen &= depth <= NEAR_BORDER
        row, column = generator.choice(np.argwhere(chosen))
        return int(row), int(column)


def parse_user(text: str) -> User:
    """ "jitter=10", "border" or "random". Raises UsageError: none of them."""
    kind, equals, number = text.partition("=")
    try:
        pixels = float(number) if equals else 0.0
    except ValueError:
        pixels = math.nan
    if (kind == "jitter") != bool(equals) or kind not in ("jitter", "border", "random"):
        raise UsageError(f"'{text}' is not a user: choose {USERS}.")
    if not 0 <= pixels <= 1e4:
        raise UsageError(f"the jitter is {number} pixels: pass a number from 0 to 10000.")
    return User(kind, pixels)


def next_click(
    truth: NDArray[np.integer[Any]],
    predicted: NDArray[np.bool_],
    clicked: Collection[tuple[int, int]] = (),
    *,
    order: int = 0,
    user: User | None = None,
) -> Click:
    """The pixel farthest from the border of its error region, or where `user` clicks instead.

    Missed object pixels and wrongly selected ones are judged apart; the image border and ignored
    pixels end a region. Positive only where the missed part is strictly deeper. Of equal pixels
    the first in reading order is taken; so a perfect mask gives a negative click at (0, 0).

    Args:
        truth: integers [H, W]: 1 object, −1 ignored, anything else background.
        predicted: bool [H, W].
        clicked: (row, column) of earlier clicks, never chosen as the deepest pixel again.
        order: of the new click, the number of earlier ones.
        user: where in the region is clicked; None clicks its middle, as published.

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
    depth = missed if positive else wrong
    row, column = divmod(int(np.argmax(depth)), truth.shape[1])
    if user is not None and depth[row, column] > 0:
        row, column = user.place(depth, (row, column))
    return Click(float(row), float(column), positive=positive, order=order)


def squared_depth(region: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Squared distance in pixels of each pixel of `region`, bool [H, W], to the nearest pixel
    outside it or the image: int32 [H, W], exact for distances up to 2,800 pixels."""
    padded = np.pad(region, 1).astype(np.uint8)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    # Whole numbers compare alike whatever the rounding of OpenCV's square root.
    squared: NDArray[np.int32] = np.rint(distance.astype(np.float64) ** 2).astype(np.int32)
    return squared
