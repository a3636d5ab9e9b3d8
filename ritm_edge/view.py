"""Between image pixels and network pixels: the only place where one becomes the other.

A network input that keeps the aspect ratio by padding (letterbox) would be another class with these
four methods.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .clicks import Click
from .resize import resize_bilinear
from .zoom_in import Roi, Size


@dataclass(frozen=True)
class View:
    """A rectangle of an image, stretched to the size of a network input.

    Attributes:
        roi: the rectangle, in image pixels.
        size: (H, W) of the network input.
    """

    roi: Roi
    size: Size

    def cut(self, array: NDArray[np.generic]) -> NDArray[np.float32]:
        """The rectangle of an [h, w] or [h, w, channels] image, float32 at network size."""
        return resize_bilinear(array[self.roi.slices], self.size)

    def click(self, click: Click) -> Click:
        """The click in network pixels; fractional, and out of range where it is off the crop.

        Published, although `cut` maps pixels corner-aligned: row' = H' (row − top) / rows.
        """
        rows, columns = self.roi.size
        return replace(
            click,
            row=self.size[0] * (click.row - self.roi.top) / rows,
            column=self.size[1] * (click.column - self.roi.left) / columns,
        )


def mirrored(click: Click, width: int) -> Click:
    """The click in the left-right mirrored network input of `width` pixels."""
    return replace(click, column=width - click.column - 1)


def paste(values: NDArray[np.float32], roi: Roi, size: Size) -> NDArray[np.float32]:
    """Resize `values` to `roi` and put them into zeros of `size`: float32 [H, W].

    The inverse of `View.cut`: nothing outside the crop can be object.
    """
    resized = resize_bilinear(values, roi.size)
    if roi.size == size:
        return resized
    canvas = np.zeros(size, np.float32)
    canvas[roi.slices] = resized
    return canvas
