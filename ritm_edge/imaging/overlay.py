"""A picture that shows what was selected."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from ..clicks import Click
from ..errors import ShapeError

OBJECT = (38, 132, 255)
POSITIVE = (34, 197, 94)
NEGATIVE = (239, 68, 68)
WHITE = (255, 255, 255)
TINT = 0.35  # share of the object's colour
DIMMED = 0.7  # brightness left to the background
_SUBPIXEL_BITS = 4


def overlay(
    photo: NDArray[np.uint8], mask: NDArray[np.bool_], clicks: Sequence[Click] = ()
) -> NDArray[np.uint8]:
    """Tint the object, dim the rest, draw the contour and the clicks (green on the object, red to
    remove) on a copy of a photo, uint8 [H, W, 3] RGB, with a mask, bool [H, W]. Lines and dots grow
    with the picture, so that a large photo looks the same when it is shrunk to a screen. Raises
    ShapeError: the photo is not RGB, or the mask has another size."""
    if photo.ndim != 3 or photo.shape[2] != 3 or mask.shape != photo.shape[:2]:
        raise ShapeError(
            f"photo {list(photo.shape)} and mask {list(mask.shape)} do not fit: pass [H, W, 3] "
            "and [H, W] of one size."
        )
    selected = np.ascontiguousarray(mask.astype(bool).astype(np.uint8))
    colour = np.empty_like(photo)
    colour[:] = OBJECT
    tinted = cv2.addWeighted(photo, 1 - TINT, colour, TINT, 0)
    result = np.asarray(cv2.convertScaleAbs(photo, alpha=DIMMED), np.uint8)
    cv2.copyTo(tinted, selected, result)

    unit = max(photo.shape[:2]) / 600  # sizes below are pixels of a 600-pixel picture
    line = max(1, round(1.6 * unit))
    contours, _ = cv2.findContours(selected, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(result, contours, -1, WHITE, 3 * line, cv2.LINE_AA)
    cv2.drawContours(result, contours, -1, OBJECT, line, cv2.LINE_AA)
    for click in clicks:
        _dot(result, click, unit)
    return result


def _dot(image: NDArray[np.uint8], click: Click, unit: float) -> None:
    scale = 1 << _SUBPIXEL_BITS
    centre = (round(click.column * scale), round(click.row * scale))
    for radius, colour in (
        (8.5, (0, 0, 0)),
        (7.7, WHITE),
        (5.5, POSITIVE if click.positive else NEGATIVE),
    ):
        size = round(max(1.0, radius * unit) * scale)
        cv2.circle(image, centre, size, colour, cv2.FILLED, cv2.LINE_AA, _SUBPIXEL_BITS)
