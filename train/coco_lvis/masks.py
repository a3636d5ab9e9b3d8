"""Overlap of masks and of their bounding boxes."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class BoxedMask:
    """A mask with at least one pixel.

    Attributes:
        pixels: bool [H, W].
    """

    pixels: NDArray[np.bool_]

    @cached_property
    def area(self) -> int:
        """Pixels."""
        return int(self.pixels.sum())

    @cached_property
    def box(self) -> Box:
        """First and last row, first and last column, inclusive."""
        rows = np.flatnonzero(self.pixels.any(axis=1))
        columns = np.flatnonzero(self.pixels.any(axis=0))
        return int(rows[0]), int(rows[-1]), int(columns[0]), int(columns[-1])

    @property
    def box_area(self) -> int:
        """Pixels of the bounding box."""
        top, bottom, left, right = self.box
        return (bottom - top + 1) * (right - left + 1)

    def intersection(self, other: "BoxedMask") -> int:
        """Pixels in both."""
        if not self.box_intersection(other):
            return 0
        top, bottom = max(self.box[0], other.box[0]), min(self.box[1], other.box[1])
        left, right = max(self.box[2], other.box[2]), min(self.box[3], other.box[3])
        window = np.s_[top : bottom + 1, left : right + 1]
        return int(np.count_nonzero(self.pixels[window] & other.pixels[window]))

    def iou(self, other: "BoxedMask") -> float:
        """Intersection over union of the pixels."""
        both = self.intersection(other)
        return both / (self.area + other.area - both)

    def box_intersection(self, other: "BoxedMask") -> int:
        """Pixels in both boxes."""
        sides = []
        for axis in (0, 2):
            first = max(self.box[axis], other.box[axis])
            last = min(self.box[axis + 1], other.box[axis + 1])
            sides.append(max(last - first + 1, 0))
        return sides[0] * sides[1]

    def box_iou(self, other: "BoxedMask") -> float:
        """Product of the two one-dimensional intersections over unions, as published."""
        product = 1.0
        for axis in (0, 2):
            starts = (self.box[axis], other.box[axis])
            ends = (self.box[axis + 1], other.box[axis + 1])
            both = max(min(ends) - max(starts) + 1, 0)
            product *= both / (max(ends) - min(starts) + 1)
        return product
