"""Zoom-in: which part of the photo the network looks at (paper, section 3.4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..clicks import Click
from ..errors import UsageError

Size = tuple[int, int]


class Roi(NamedTuple):
    """A rectangle of whole pixels; both ends belong to it."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def size(self) -> Size:
        """(rows, columns)."""
        return self.bottom - self.top + 1, self.right - self.left + 1

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of the rectangle in an [H, W, …] array."""
        return slice(self.top, self.bottom + 1), slice(self.left, self.right + 1)

    def contains(self, other: "Roi") -> bool:
        """Whether no pixel of `other` is outside."""
        return (
            self.top <= other.top
            and self.bottom >= other.bottom
            and self.left <= other.left
            and self.right >= other.right
        )


def whole_image(size: Size) -> Roi:
    """The rectangle of all pixels of an image of `size` (H, W)."""
    return Roi(0, size[0] - 1, 0, size[1] - 1)


def box_iou(first: Roi, second: Roi) -> float:
    """Product of the IoUs of the two axes, 0…1: the published measure, not the IoU of areas."""
    product = 1.0
    for axis in (0, 2):
        overlap = min(first[axis + 1], second[axis + 1]) - max(first[axis], second[axis]) + 1
        extent = max(first[axis + 1], second[axis + 1]) - min(first[axis], second[axis]) + 1
        # The published union of intervals is their hull; apart they count as 0 all the same.
        product *= max(overlap, 0) / extent
    return product


def bounding_box(mask: NDArray[np.bool_], clicks: Sequence[Click] = ()) -> Roi | None:
    """Smallest rectangle around the True pixels and the positive clicks.

    Args:
        mask: bool [H, W].
        clicks: in pixels of the mask; fractions are cut off, negative clicks ignored.

    Returns:
        None where the mask has no True pixel, whatever the clicks.
    """
    rows = np.flatnonzero(mask.any(axis=1))
    if rows.size == 0:
        return None
    columns = np.flatnonzero(mask.any(axis=0))
    click_rows = [int(c.row) for c in clicks if c.positive]
    click_columns = [int(c.column) for c in clicks if c.positive]
    return Roi(
        min(int(rows[0]), *click_rows, int(rows[0])),
        max(int(rows[-1]), *click_rows, int(rows[-1])),
        min(int(columns[0]), *click_columns, int(columns[0])),
        max(int(columns[-1]), *click_columns, int(columns[-1])),
    )


@dataclass(frozen=True)
class ZoomIn:
    """Settings of the zoom-in; the defaults are those of the published evaluation.

    Attributes:
        target_size: longer side of the resized crop in pixels (smaller crops are enlarged), or
            (H, W) to stretch the crop to, aspect ratio not kept. A graph of fixed size overrides
            it by its own.
        skip_clicks: number of first clicks answered without zoom. In a published session −1 also
            crops the whole image to the target size while there is no mask, and 0 repeats a click
            at once with the crop its own result suggests.
        expansion: side of the crop relative to the bounding box of the object.
        min_crop: smallest side of a crop in image pixels, before it is cut at the image border.
        recompute_iou: a stored crop is replaced when its `box_iou` with the wanted one is below.
        threshold: probability above which a pixel belongs to the object whose box is taken
            (a published session only: an app session takes the mask that its user sees).

    Raises:
        UsageError: a value out of range.
    """

    target_size: int | Size = 400
    skip_clicks: int = 1
    expansion: float = 1.4
    min_crop: int = 200
    recompute_iou: float = 0.5
    threshold: float = 0.5

    def __post_init__(self) -> None:
        target = self.target_size
        sides = target if isinstance(target, tuple) else (target, target)
        if len(sides) != 2 or min(sides) < 1:
            raise UsageError(f"the zoom-in target size is {target}: pass at least 1 pixel.")
        if not self.expansion > 0 or self.min_crop < 1:
            raise UsageError(
                f"zoom-in expansion {self.expansion} and min_crop {self.min_crop}: pass an "
                "expansion above 0 and a min_crop of at least 1 pixel."
            )

    def expand(self, box: Roi, image_size: Size) -> Roi:
        """Enlarge `box` around its centre and cut it at the image border."""
        ends: list[int] = []
        for axis, length in ((0, image_size[0]), (2, image_size[1])):
            centre = 0.5 * (box[axis] + box[axis + 1])
            side = max(self.expansion * (box[axis + 1] - box[axis] + 1), self.min_crop)
            # Python's round: halves go to the even neighbour, as published.
            ends.append(max(0, min(length - 1, round(centre - 0.5 * side))))
            ends.append(max(0, min(length - 1, round(centre + 0.5 * side))))
        return Roi(*ends)

    def crop_size(self, crop: Roi) -> Size:
        """(H, W) to which `crop` is resized."""
        if isinstance(self.target_size, tuple):
            return self.target_size
        return scaled_to(crop.size, self.target_size)


def scaled_to(size: Size, longer_side: int) -> Size:
    """`size` scaled so that its longer side is `longer_side`; halves go to the even neighbour."""
    scale = longer_side / max(size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
