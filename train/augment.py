"""The published augmentation, and what all recipes share: flips and colours.

OpenCV is called directly. albumentations, which the published implementation used, has not been
maintained since June 2025 and its successor's licence (AGPL) does not fit ours; kornia works
on float tensors after the data is loaded, where overlapping label layers cost many times as much.
Both have random generators of their own, and a sample must depend only on (seed, position).
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .config import AugmentationSettings
from .object_crops import Box, Maps, Photo

Matrix = NDArray[np.float64]


def published_crop(
    photo: Photo, maps: Maps, settings: AugmentationSettings, *, rng: np.random.Generator
) -> tuple[Photo, Maps]:
    """Rescale, mirror, turn, warp, pad with black to the crop's size, cut a random window of a
    photo, uint8 [H, W, 3], and its labels, uint8 [H, W, C], which are never blended; both come back
    at the crop's size."""
    photo, maps = _rescale(photo, maps, rng.uniform(*settings.scale))
    photo, maps = random_flips(photo, maps, settings, rng=rng)
    if settings.quarter_turns:
        turns = int(rng.integers(4))
        photo, maps = np.rot90(photo, turns), np.rot90(maps, turns)
    if (settings.shift or settings.rotate) and rng.random() < settings.warp_probability:
        photo, maps = _warp(photo, maps, settings, rng)
    height, width = settings.crop
    rows = _place(photo.shape[0], height, rng)
    columns = _place(photo.shape[1], width, rng)
    return _window(photo, rows, columns, settings.crop), _window(maps, rows, columns, settings.crop)


def draw_published(
    photo_size: tuple[int, int], settings: AugmentationSettings, *, rng: np.random.Generator
) -> tuple[Matrix, Box]:
    """The same random window as `published_crop` cuts, from the same `rng`, as numbers: float64 [2,
    3], (x, y, 1) of a pixel's centre in the crop to (x, y) in the photo of (H, W) pixels, and where
    in the crop the photo may show, (top, left, bottom, right)."""
    scale = rng.uniform(*settings.scale)
    height, width = (max(round(side * scale), 1) for side in photo_size)
    # From pixels of the rescaled photo to the photo's, then before each what comes after it.
    down, across = photo_size[0] / height, photo_size[1] / width
    matrix = np.array([[across, 0, across / 2 - 0.5], [0, down, down / 2 - 0.5], [0, 0, 1]])
    if rng.random() < settings.horizontal_flip:
        matrix = matrix @ [[-1, 0, width - 1], [0, 1, 0], [0, 0, 1]]
    if settings.vertical_flip > 0 and rng.random() < settings.vertical_flip:
        matrix = matrix @ [[1, 0, 0], [0, -1, height - 1], [0, 0, 1]]
    for _ in range(int(rng.integers(4)) if settings.quarter_turns else 0):
        matrix = matrix @ [[0, -1, width - 1], [1, 0, 0], [0, 0, 1]]
        height, width = width, height
    if (settings.shift or settings.rotate) and rng.random() < settings.warp_probability:
        warp = _draw_warp((height, width), settings, rng)
        matrix = matrix @ np.vstack((cv2.invertAffineTransform(warp), (0, 0, 1)))
    top, left = _place(height, settings.crop[0], rng), _place(width, settings.crop[1], rng)
    matrix = matrix @ [[1, 0, left], [0, 1, top], [0, 0, 1]]
    return np.asarray(matrix[:2], np.float64), (-top, -left, height - top, width - left)


def random_flips(
    photo: Photo, maps: Maps, settings: AugmentationSettings, *, rng: np.random.Generator
) -> tuple[Photo, Maps]:
    """Mirror left to right and top to bottom by chance."""
    if rng.random() < settings.horizontal_flip:
        photo, maps = photo[:, ::-1], maps[:, ::-1]
    if settings.vertical_flip > 0 and rng.random() < settings.vertical_flip:
        photo, maps = photo[::-1], maps[::-1]
    return np.ascontiguousarray(photo), np.ascontiguousarray(maps)


def random_colour(
    photo: Photo, settings: AugmentationSettings, *, rng: np.random.Generator
) -> Photo:
    """Contrast with brightness, then channel shifts, each by chance (uint8 in and out)."""
    factor, brightness, *shift = draw_colour(settings, rng=rng)
    # Each channel changes by a function of its value alone: 256 values instead of all pixels.
    values = np.arange(256, dtype=np.float32)[:, None] * factor + brightness
    table = np.clip(values + np.array(shift), 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(photo, table[None]), np.uint8)


def draw_colour(settings: AugmentationSettings, *, rng: np.random.Generator) -> NDArray[np.float32]:
    """A factor on values 0…255, what is added to all, and to each channel, float32 [5]."""
    change = np.array((1, 0, 0, 0, 0), np.float32)
    if rng.random() < settings.colour_probability:
        change[0] = 1.0 + rng.uniform(*settings.contrast)
        change[1] = 255.0 * rng.uniform(*settings.brightness)
    if rng.random() < settings.colour_probability:
        change[2:] = rng.uniform(-settings.channel_shift, settings.channel_shift, 3)
    return change


def _rescale(photo: Photo, maps: Maps, scale: float) -> tuple[Photo, Maps]:
    height, width = (max(round(side * scale), 1) for side in photo.shape[:2])
    # The exact kind: plain nearest neighbours sample pixel corners, half a pixel off the photo.
    labels = cv2.resize(maps, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    scaled = cv2.resize(photo, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(scaled, np.uint8), _channels(labels, maps)


def _warp(
    photo: Photo, maps: Maps, settings: AugmentationSettings, rng: np.random.Generator
) -> tuple[Photo, Maps]:
    """Turn around the centre and shift; what comes from outside is black and unlabelled."""
    size = (photo.shape[1], photo.shape[0])
    matrix = _draw_warp(size[::-1], settings, rng)
    turned = cv2.warpAffine(photo, matrix, size, flags=cv2.INTER_LINEAR)
    labels = cv2.warpAffine(maps, matrix, size, flags=cv2.INTER_NEAREST)
    return np.asarray(turned, np.uint8), _channels(labels, maps)


def _draw_warp(
    size: tuple[int, int], settings: AugmentationSettings, rng: np.random.Generator
) -> Matrix:
    height, width = size
    angle = rng.uniform(-settings.rotate, settings.rotate)
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, 1.0)
    offset = rng.uniform(-settings.shift, settings.shift, 2) * (width, height)
    moved: Matrix = matrix + np.array([[0, 0, offset[0]], [0, 0, offset[1]]])
    return moved


def _channels(result: NDArray[Any], maps: Maps) -> Maps:
    """OpenCV drops the last axis where it has one channel."""
    return np.asarray(result, np.uint8).reshape(*result.shape[:2], maps.shape[2])


def _place(length: int, wanted: int, rng: np.random.Generator) -> int:
    """Start of the window; negative where the photo is shorter and stands in its middle."""
    if length < wanted:
        return -((wanted - length) // 2)
    return int(rng.integers(length - wanted + 1))


def _window(array: Maps, top: int, left: int, size: tuple[int, int]) -> Maps:
    result = np.zeros((*size, array.shape[2]), np.uint8)
    part = array[max(top, 0) : top + size[0], max(left, 0) : left + size[1]]
    row, column = max(-top, 0), max(-left, 0)
    result[row : row + part.shape[0], column : column + part.shape[1]] = part
    return result
