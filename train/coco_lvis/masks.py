"""Overlap of masks and of their bounding boxes."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ritm_edge.session import zoom_in


@dataclass(frozen=True)
class BoxedMask:
    """A mask with at least one pixel, bool [H, W]."""

    pixels: NDArray[np.bool_]

    @cached_property
    def area(self) -> int:
        """Pixels."""
        return int(self.pixels.sum())

    @cached_property
    def box(self) -> zoom_in.Roi:
        """The smallest rectangle around the pixels."""
        box = zoom_in.bounding_box(self.pixels)
        assert box is not None  # there is a pixel
        return box

    @property
    def box_area(self) -> int:
        """Pixels of the bounding box."""
        rows, columns = self.box.size
        return rows * columns

    def intersection(self, other: "BoxedMask") -> int:
        """Pixels in both."""
        if not self.box_intersection(other):
            return 0
        window = self._common(other).slices
        return int(np.count_nonzero(self.pixels[window] & other.pixels[window]))

    def iou(self, other: "BoxedMask") -> float:
        """Intersection over union of the pixels."""
        both = self.intersection(other)
        return both / (self.area + other.area - both)

    def box_intersection(self, other: "BoxedMask") -> int:
        """Pixels in both boxes."""
        rows, columns = self._common(other).size
        return max(rows, 0) * max(columns, 0)

    def box_iou(self, other: "BoxedMask") -> float:
        """See `zoom_in.box_iou`."""
        return zoom_in.box_iou(self.box, other.box)

    def _common(self, other: "BoxedMask") -> zoom_in.Roi:
        """Of both boxes; its ends are in the wrong order where they lie apart."""
        (top, bottom, left, right), box = self.box, other.box
        starts = max(top, box.top), max(left, box.left)
        ends = min(bottom, box.bottom), min(right, box.right)
        return zoom_in.Roi(starts[0], ends[0], starts[1], ends[1])
