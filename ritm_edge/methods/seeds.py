"""Clicks as seeds, for methods that know nothing but one photo."""

import time

import cv2
import numpy as np
from numpy.typing import NDArray

from ..clicks import Click
from ..errors import RitmEdgeError, UsageError
from .base import Segment, segment_of

# A click marks a disk, as large as those that the networks see (paper, Table 1: Disk5).
RADIUS = 5
OBJECT, BACKGROUND = 1, -1
# Seconds for one click, after which a method is given up.
LIMIT = 120.0


def seed_map(
    clicks: tuple[Click, ...], size: tuple[int, int], *, radius: int = RADIUS
) -> NDArray[np.int8]:
    """int8 [H, W]: 1 in the disks of positive clicks, −1 in those of negative ones, later ones on
    top, else 0. The photo's outermost pixels count as background where no click says otherwise:
    with few seeds of it, these methods take everything."""
    seeds: NDArray[np.int8] = np.zeros(size, np.int8)
    seeds[[0, -1], :] = BACKGROUND
    seeds[:, [0, -1]] = BACKGROUND
    for click in clicks:
        value = OBJECT if click.positive else BACKGROUND
        centre = round(click.column), round(click.row)
        # As uint8, which OpenCV draws on, −1 is 255.
        cv2.circle(seeds.view(np.uint8), centre, radius, (value % 256,), cv2.FILLED)
    return seeds


class SeedMethod:
    """A `ClickMethod` around one of the functions `segment`. Raises MissingExtraError: its library
    is not installed."""

    def __init__(self, name: str, *, limit: float = LIMIT) -> None:
        self.name, self._limit = name, limit
        self._segment: Segment = segment_of(name).segment
        self._photo: NDArray[np.uint8] | None = None
        self.clicks: tuple[Click, ...] = ()
        self.mask: NDArray[np.bool_] = np.zeros((0, 0), bool)

    def set_image(self, image: NDArray[np.uint8]) -> None:
        """See `ClickMethod`."""
        self._photo, self.clicks = image, ()
        self.mask = np.zeros(image.shape[:2], bool)

    def click(self, row: float, column: float, positive: bool = True) -> NDArray[np.bool_]:
        """See `ClickMethod`. Raises UsageError: no photo yet; RitmEdgeError: the method failed, or
        took longer than the limit."""
        if self._photo is None:
            raise UsageError("there is no photo: call set_image first.")
        click = Click(row, column, positive=positive, order=len(self.clicks))
        self.clicks = (*self.clicks, click)
        start = time.perf_counter()
        size = (self._photo.shape[0], self._photo.shape[1])
        self.mask = self._segment(self._photo, seed_map(self.clicks, size))
        seconds = time.perf_counter() - start
        if seconds > self._limit:
            raise RitmEdgeError(
                f"{self.name} took {seconds:.0f} s for a click on a photo of {size[1]}×{size[0]}, "
                f"more than {self._limit:.0f} s: measure smaller photos."
            )
        return self.mask
