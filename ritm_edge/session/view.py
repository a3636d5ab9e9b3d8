"""Between image pixels and network pixels: the only place where one becomes the other."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..clicks import Click
from .resize import resize_bilinear
from .zoom_in import Roi, Size, whole_image


@dataclass(frozen=True)
class View:
    """A rectangle of an image, resized into a network input.

    Attributes:
        roi: the rectangle, in image pixels.
        size: (H, W) of the network input.
        content: where in the network input the rectangle is, the rest is black; None fills it.
    """

    roi: Roi
    size: Size
    content: Roi | None = None

    def cut(self, array: NDArray[np.generic]) -> NDArray[np.float32]:
        """The rectangle of an [h, w] or [h, w, channels] image, float32 at network size."""
        place = self._place
        resized = resize_bilinear(array[self.roi.slices], place.size)
        if place.size == self.size:
            return resized
        canvas = np.zeros((*self.size, *array.shape[2:]), np.float32)
        canvas[place.slices] = resized
        return canvas

    def click(self, click: Click) -> Click:
        """The click in network pixels; fractional, and out of range where it is off the crop.

        Published, although `cut` maps pixels corner-aligned: row' = H' (row − top) / rows.
        """
        rows, columns = self.roi.size
        place = self._place
        return replace(
            click,
            row=place.top + place.size[0] * (click.row - self.roi.top) / rows,
            column=place.left + place.size[1] * (click.column - self.roi.left) / columns,
        )

    def uncover(self, output: NDArray[np.float32]) -> NDArray[np.float32]:
        """The part of a network output [H, W] that shows the rectangle."""
        return output[self._place.slices]

    @property
    def _place(self) -> Roi:
        return whole_image(self.size) if self.content is None else self.content


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
