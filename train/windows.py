"""Windows of photos as matrices, one for each sample, from pixels of the crop to the photo's.

A matrix can be applied anywhere: here by OpenCV, on a GPU by torch's own grid sampling.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from .config import AugmentationSettings
from .object_crops import Box, Maps, Photo

Matrix = NDArray[np.float64]

# Sides of a window: of a whole photo, as a share of its shorter and of its longer side; of a part,
# as shares of the shorter side; around an object, as multiples of its longer side.
WHOLE, PART, AROUND = (0.9, 1.02), (0.5, 1.05), (1.05, 2.0)
SMALLEST_OBJECT = 24.0  # pixels; smaller objects are shown no larger than these would be
SMALLEST_SCALE = 0.28  # photo pixels per pixel of the crop; nothing is enlarged more than that
LARGEST_SHARE = 1.04  # of the photo's longer side
OFF_CENTRE = 0.3  # farthest distance of the object from the centre, as a share of the window
ASPECT_JITTER, ASPECT_PROBABILITY = 0.12, 0.5  # of the logarithm


def draw_window(
    box: Box,
    photo_size: tuple[int, int],
    settings: AugmentationSettings,
    *,
    rng: np.random.Generator,
) -> Matrix:
    """Choose a window around an object's box, (top, left, bottom, right) with exclusive ends, in a
    photo of (H, W) pixels, mirrored, turned and stretched by chance: float64 [2, 3], (x, y, 1) of a
    pixel's centre in the crop to (x, y) in the photo."""
    height, width = settings.crop
    top, left, bottom, right = box
    # Photo pixels per crop pixel that show the whole height, and the whole width.
    fits = photo_size[0] / height, photo_size[1] / width
    longest = max((bottom - top) / height, (right - left) / width)
    kind = rng.choice(3, p=settings.window_shares)
    if kind == 0:
        scale = rng.uniform(WHOLE[0] * min(fits), WHOLE[1] * max(fits))
    elif kind == 1:
        scale = rng.uniform(*PART) * min(fits)
    else:
        side = max(longest, SMALLEST_OBJECT / min(height, width)) * rng.uniform(*AROUND)
        scale = min(max(side, SMALLEST_SCALE), LARGEST_SHARE * max(fits))
    if kind == 1:
        centre = np.array((rng.uniform(top, bottom), rng.uniform(left, right)))
    else:
        centre = np.array((top + bottom, left + right)) / 2
    free = OFF_CENTRE if kind < 2 else max(0.0, 1 - longest / scale) / 2
    centre += rng.uniform(-free, free, 2) * scale * np.array(settings.crop)
    for axis, limit in enumerate(photo_size):
        half = scale * settings.crop[axis] / 2
        if limit > 2 * half:
            centre[axis] = min(max(centre[axis], half), limit - half)
        else:
            centre[axis] = limit / 2 + rng.uniform(-1, 1) * (half - limit / 2)
    shape = _shape(scale, settings, rng)
    middle = np.array((width - 1, height - 1)) / 2
    target = centre[::-1] - 0.5  # pixel centres at integers, as OpenCV has them
    return np.column_stack((shape, target - shape @ middle))


def _shape(scale: float, settings: AugmentationSettings, rng: np.random.Generator) -> Matrix:
    """Scale, mirroring, aspect and rotation, [2, 2]."""
    turns = settings.rotate and rng.random() < settings.warp_probability
    angle = np.deg2rad(rng.uniform(-settings.rotate, settings.rotate)) if turns else 0.0
    stretched = rng.random() < ASPECT_PROBABILITY
    aspect = np.exp(rng.uniform(-ASPECT_JITTER, ASPECT_JITTER)) if stretched else 1.0
    mirrored = -1.0 if rng.random() < settings.horizontal_flip else 1.0
    upside_down = -1.0 if rng.random() < settings.vertical_flip else 1.0
    cosine, sine = np.cos(angle), np.sin(angle)
    rotation = np.array([[cosine, -sine], [sine, cosine]])
    return np.asarray(rotation * (scale * aspect * mirrored, scale / aspect * upside_down))


def cut_window(
    photo: Photo, maps: Maps, matrix: Matrix, size: tuple[int, int]
) -> tuple[Photo, Maps]:
    """Sample a window of (h, w) pixels by a matrix from `draw_window`: of a photo, uint8 [H, W, 3],
    black outside; and of maps, uint8 [H, W, C], layers of labels and as the last channel the
    ignored pixels, which are 1 outside of the photo."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    colours = cv2.warpAffine(photo, matrix, size[::-1], flags=flags)
    return np.asarray(colours, np.uint8), cut_maps(maps, matrix, size, outside=1)


def cut_maps(maps: Maps, matrix: Matrix, size: tuple[int, int], *, outside: int) -> Maps:
    """The maps of `cut_window`; the last channel is `outside` beyond the photo, others 0."""
    shape, flags = size[::-1], cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    border = (*(0,) * (maps.shape[2] - 1), outside)
    # OpenCV takes borders of at most four channels.
    cut = [
        cv2.warpAffine(
            maps[..., c : c + 4], matrix, shape, flags=flags, borderValue=border[c : c + 4]
        )
        for c in range(0, maps.shape[2], 4)
    ]
    return np.dstack(cut) if len(cut) > 1 else np.atleast_3d(cut[0])
