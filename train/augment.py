"""Random crops, flips and colours for one photo with its label map.

OpenCV calls are used directly: this needs one crop window chosen around an object, which the
augmentation libraries do not offer, and four plain operations, for which they would be a large
dependency.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Photo = NDArray[np.uint8]
Labels = NDArray[np.uint8]
Box = tuple[int, int, int, int]

OBJECT_MARGIN = (1.1, 3.0)
PHOTO_SHARE = (0.5, 1.1)
ASPECT_JITTER = 1.15
COLOUR_PROBABILITY = 0.75
BRIGHTNESS = (-0.25, 0.25)
CONTRAST = (-0.15, 0.40)
CHANNEL_SHIFT = 10.0


def random_crop(
    photo: Photo,
    labels: Labels,
    *,
    size: tuple[int, int],
    around: Box | None,
    rng: np.random.Generator,
) -> tuple[Photo, Labels]:
    """Cut a window and resize it to `size`; beyond the photo there is black, unlabelled ground.

    Args:
        photo: uint8 [H, W, 3].
        labels: uint8 [H, W].
        size: (h, w) of the result, pixels.
        around: (top, left, bottom, right), exclusive ends, of an object: the window contains a
            random margin around it, as zoom-in gives. None: a random part of the photo.
        rng: source of randomness.

    Returns:
        uint8 [h, w, 3] and uint8 [h, w].
    """
    height, width = labels.shape
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
        _cut(labels, rows, columns, size, nearest=True),
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
    result = np.zeros((*size, *array.shape[2:]), np.uint8)
    result[row_place, column_place] = cv2.resize(
        inside, (width, height), interpolation=interpolation
    )
    return result


def _overlap(window: tuple[int, int], limit: int, length: int) -> tuple[slice, slice]:
    """Along one axis: the part of 0…limit inside `window`, and its place in `length` pixels."""
    start, end = max(window[0], 0), min(window[1], limit)
    scale = length / (window[1] - window[0])
    first = min(round((start - window[0]) * scale), length - 1)
    last = max(round((end - window[0]) * scale), first + 1)
    return slice(start, end), slice(first, last)


def random_flip(photo: Photo, labels: Labels, *, rng: np.random.Generator) -> tuple[Photo, Labels]:
    """Mirror left to right every other time."""
    if rng.random() < 0.5:
        return np.ascontiguousarray(photo[:, ::-1]), np.ascontiguousarray(labels[:, ::-1])
    return photo, labels


def random_colour(photo: Photo, *, rng: np.random.Generator) -> Photo:
    """Brightness, contrast and channel shifts in the published ranges (uint8 in and out)."""
    values = photo.astype(np.float32)
    if rng.random() < COLOUR_PROBABILITY:
        values = values * (1.0 + rng.uniform(*CONTRAST)) + 255.0 * rng.uniform(*BRIGHTNESS)
    if rng.random() < COLOUR_PROBABILITY:
        shift = rng.uniform(-CHANNEL_SHIFT, CHANNEL_SHIFT, 3).astype(np.float32)
        values = values + shift
    return np.clip(values, 0, 255).astype(np.uint8)
