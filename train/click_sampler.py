"""First clicks, as an annotator might place them (section 3.2, first part)."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
_SQUARE = np.ones((3, 3), np.uint8)

ERODE_PROBABILITY = 0.9
ERODE_TIMES = 3
MIN_PIXELS_AFTER_EROSION = 10
COUNT_DECAY = 0.8
# Where a negative click falls: background, another object, the ring around the object.
NEGATIVE_PLACES = (0.1, 0.4, 0.5)
RING_WIDTH = 0.1
FIRST_CLICK_ORDER = 100


def sample_first_clicks(
    parts: list[Mask], others: Mask, *, max_clicks: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Sample the clicks that exist before any simulated correction.

    Args:
        parts: bool [H, W] each; the target is their union. One positive click falls into each
            part. An empty list means an empty target with negative clicks only.
        others: bool [H, W], pixels of other labelled objects.
        max_clicks: K, slots per sign.
        rng: source of randomness.

    Returns:
        float32 [2K, 3] (row, column, order); order is 100 for every first click.
    """
    parts = [part for part in parts if part.any()]
    slots = np.full((2 * max_clicks, 3), -1.0, np.float32)
    target = np.logical_or.reduce(parts) if parts else np.zeros_like(others)
    positives: list[tuple[int, int]] = []
    if parts:
        regions = [_inner_region(part, rng) for part in parts]
        if len(parts) == 1:
            count = _count(1, max_clicks, rng)
            positives = _draw(regions[0], count, rng)
        else:
            positives = [_draw(region, 1, rng)[0] for region in regions]
            for _ in range(_count(0, max_clicks, rng)):
                positives += _draw(regions[rng.integers(len(regions))], 1, rng)
    negatives = _sample_negatives(target, others, _count(0, max_clicks, rng), rng)
    for start, clicks in ((0, positives), (max_clicks, negatives)):
        for index, (row, column) in enumerate(clicks[:max_clicks]):
            slots[start + index] = row, column, FIRST_CLICK_ORDER
    return slots


def _count(smallest: int, largest: int, rng: np.random.Generator) -> int:
    """A count whose probability falls by COUNT_DECAY with every further click."""
    weights = COUNT_DECAY ** np.arange(largest - smallest + 1)
    return smallest + int(rng.choice(len(weights), p=weights / weights.sum()))


def _draw(region: Mask, count: int, rng: np.random.Generator) -> list[tuple[int, int]]:
    """`count` uniform pixels of `region` with replacement; none where it is empty."""
    candidates = np.flatnonzero(region)
    if not candidates.size or not count:
        return []
    rows, columns = np.unravel_index(rng.choice(candidates, count), region.shape)
    return [(int(row), int(column)) for row, column in zip(rows, columns, strict=True)]


def _inner_region(mask: Mask, rng: np.random.Generator) -> Mask:
    """Mostly the eroded object: people rarely click on its very edge."""
    if rng.random() >= ERODE_PROBABILITY:
        return mask
    eroded = cv2.erode(mask.astype(np.uint8), _SQUARE, iterations=ERODE_TIMES).astype(bool)
    return eroded if eroded.sum() > MIN_PIXELS_AFTER_EROSION else mask


def _sample_negatives(
    target: Mask, others: Mask, count: int, rng: np.random.Generator
) -> list[tuple[int, int]]:
    if not count:
        return []
    background = ~target
    if not target.any():
        return _draw(background, count, rng)
    other = others & background
    steps = math.ceil(RING_WIDTH * math.sqrt(float(target.sum())))
    dilated = cv2.dilate(target.astype(np.uint8), _SQUARE, iterations=steps).astype(bool)
    places = (background, other if other.any() else background, dilated & background)
    clicks: list[tuple[int, int]] = []
    for place in rng.choice(len(places), count, p=NEGATIVE_PLACES):
        clicks += _draw(places[place], 1, rng)
    return clicks
