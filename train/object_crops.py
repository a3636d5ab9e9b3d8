"""Crops around an object, as zoom-in makes them: the augmentation of our own recipes."""

import cv2
import numpy as np
from numpy.typing import NDArray

Photo = NDArray[np.uint8]
Maps = NDArray[np.uint8]
Box = tuple[int, int, int, int]

OBJECT_MARGIN = (1.1, 3.0)
PHOTO_SHARE = (0.5, 1.1)
ASPECT_JITTER = 1.15


def random_crop(
    photo: Photo, maps: Maps, *, size: tuple[int, int], around: Box | None, rng: np.random.Generator
) -> tuple[Photo, Maps]:
    """Cut a window out of a photo, uint8 [H, W, 3], and its maps, uint8 [H, W, C], and resize it to
    (h, w); beyond the photo there is black, unlabelled ground.

    The window contains a random margin around the box of an object, (top, left, bottom, right) with
    exclusive ends, as zoom-in gives; without one it is a random part of the photo.
    """
    height, width = maps.shape[:2]
    aspect = size[1] / size[0]
    jitter = np.exp(rng.uniform(-1, 1) * np.log(ASPECT_JITTER))
    if around is not None:
        top, left, bottom, right = around
        margin = np.exp(rng.uniform(*np.log(OBJECT_MARGIN)))
        window_height = margin * max(bottom - top, (right - left) / aspect, 16.0)
        centre = (rng.uniform(top, bottom), rng.uniform(left, right))
    else:
        share = rng.uniform(*PHOTO_SHARE)
        window_height = share * max(height, width / aspect)
        centre = (rng.uniform(0, height), rng.uniform(0, width))
    window_width = window_height * aspect * jitter
    rows = _window(centre[0], window_height, height)
    columns = _window(centre[1], window_width, width)
    return (
        _cut(photo, rows, columns, size, nearest=False),
        _cut(maps, rows, columns, size, nearest=True),
    )


def _window(centre: float, length: float, limit: int) -> tuple[int, int]:
    """[start, end) around `centre`, moved inside the photo as far as it fits."""
    length = max(round(length), 8)
    start = round(centre - length / 2)
    # A window longer than the photo is centred over it.
    start = min(max(start, 0), limit - length) if length <= limit else (limit - length) // 2
    return start, start + length


def _cut(
    array: NDArray[np.uint8],
    rows: tuple[int, int],
    columns: tuple[int, int],
    size: tuple[int, int],
    *,
    nearest: bool,
) -> NDArray[np.uint8]:
    """Resize the part inside the photo into its place in a black result."""
    # Padding before resizing would need a window's worth of memory, many times a large photo.
    row_part, row_place = _overlap(rows, array.shape[0], size[0])
    column_part, column_place = _overlap(columns, array.shape[1], size[1])
    inside = array[row_part, column_part]
    height, width = row_place.stop - row_place.start, column_place.stop - column_place.start
    if nearest:
        # The plain kind samples pixel corners: shrunk labels would sit beside the shrunk photo.
        interpolation = cv2.INTER_NEAREST_EXACT
    else:
        shrinking = inside.shape[0] > height
        interpolation = cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
    result = np.zeros((*size, array.shape[2]), np.uint8)
    resized = cv2.resize(inside, (width, height), interpolation=interpolation)
    result[row_place, column_place] = resized.reshape(height, width, array.shape[2])
    return result


def _overlap(window: tuple[int, int], limit: int, length: int) -> tuple[slice, slice]:
    """Along one axis: the part of 0…limit inside `window`, and its place in `length` pixels."""
    start, end = max(window[0], 0), min(window[1], limit)
    scale = length / (window[1] - window[0])
    first = min(round((start - window[0]) * scale), length - 1)
    last = max(round((end - window[0]) * scale), first + 1)
    return slice(start, end), slice(first, last)
