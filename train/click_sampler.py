"""First clicks, as an annotator might place them (section 3.2, first part)."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from .config import ClickSettings

Mask = NDArray[np.bool_]
_SQUARE = np.ones((3, 3), np.uint8)

ERODE_TIMES = 3
MIN_PIXELS_AFTER_EROSION = 10
FIRST_CLICK_ORDER = 100


def sample_first_clicks(
    parts: list[Mask],
    others: Mask,
    settings: ClickSettings,
    *,
    rng: np.random.Generator,
    ignored: Mask | None = None,
) -> NDArray[np.float32]:
    """Sample the clicks that exist before any simulated correction.

    Args:
        parts: bool [H, W] each; the target is their union. One positive click falls into each
            part. An empty list means an empty target with negative clicks only.
        others: bool [H, W], pixels of other labelled objects.
        ignored: bool [H, W], pixels that nobody labelled: no negative click falls there. The
            published data has none; ours has borders that may belong to the object.

    Returns:
        float32 [2K, 3] (row, column, order); order is 100 for every first click.
    """
    parts = [part for part in parts if part.any()]
    max_clicks, decay = settings.max_clicks, settings.decay
    slots = np.full((2 * max_clicks, 3), -1.0, np.float32)
    target = np.logical_or.reduce(parts) if parts else np.zeros_like(others)
    positives: list[tuple[int, int]] = []
    single_share = settings.single_click_probability
    single = single_share > 0 and rng.random() < single_share
    if parts:
        regions = [
            inner_region(part) if rng.random() < settings.erode_probability else part
            for part in parts
        ]
        if single:
            region = regions[rng.integers(len(regions))]
            positives = _draw(_place(region, target, settings.positive_places, rng), 1, rng)
        elif len(parts) == 1:
            positives = _draw(regions[0], _count(1, max_clicks, decay, rng), rng)
        else:
            positives = [_draw(region, 1, rng)[0] for region in regions]
            for _ in range(_count(0, max_clicks, decay, rng)):
                positives += _draw(regions[rng.integers(len(regions))], 1, rng)
    background = ~target if ignored is None else ~(target | ignored)
    # One click cannot tell of nothing: an empty target keeps its negative ones.
    count = 0 if single and parts else _count(0, max_clicks, decay, rng)
    negatives = _sample_negatives(target, background, others, count, settings, rng)
    for start, clicks in ((0, positives), (max_clicks, negatives)):
        for index, (row, column) in enumerate(clicks[:max_clicks]):
            slots[start + index] = row, column, FIRST_CLICK_ORDER
    return slots


def count_probabilities(outcomes: int, decay: float) -> NDArray[np.float64]:
    """Chances [outcomes] of the successive counts: each is `decay` times the one before."""
    weights = decay ** np.arange(outcomes)
    return np.asarray(weights / weights.sum(), np.float64)


def _count(smallest: int, largest: int, decay: float, rng: np.random.Generator) -> int:
    chances = count_probabilities(largest - smallest + 1, decay)
    return smallest + int(rng.choice(len(chances), p=chances))


def _draw(region: Mask, count: int, rng: np.random.Generator) -> list[tuple[int, int]]:
    """`count` uniform pixels of `region` with replacement; none where it is empty."""
    candidates = np.flatnonzero(region)
    if not candidates.size or not count:
        return []
    rows, columns = np.unravel_index(rng.choice(candidates, count), region.shape)
    return [(int(row), int(column)) for row, column in zip(rows, columns, strict=True)]


def _place(
    region: Mask, target: Mask, places: tuple[float, float, float], rng: np.random.Generator
) -> Mask:
    """Where a single click falls: on `region`, deeper than half of the target's depth, or on its
    deepest pixel."""
    if places[0] == 1:
        return region
    place = rng.choice(3, p=places)
    if place == 0:
        return region
    depth = depth_of(target)
    return np.asarray(depth > depth.max() / 2 if place == 1 else depth == depth.max(), bool)


def depth_of(region: Mask) -> NDArray[np.float32]:
    """Distance, float32 [H, W], to the outside of the region; the image border is outside."""
    padded = np.pad(region, 1).astype(np.uint8)
    # The 5×5 approximation, as published for training; evaluation uses the exact transform.
    return np.asarray(cv2.distanceTransform(padded, cv2.DIST_L2, 5)[1:-1, 1:-1], np.float32)


def inner_region(mask: Mask) -> Mask:
    """The eroded object, or all of it where too little remains: few people click on an edge."""
    eroded = cv2.erode(mask.astype(np.uint8), _SQUARE, iterations=ERODE_TIMES).astype(bool)
    return eroded if eroded.sum() > MIN_PIXELS_AFTER_EROSION else mask


def border_ring(mask: Mask, width: float) -> Mask:
    """Pixels just outside of a non-empty object, to `width` of the root of its area."""
    steps = math.ceil(width * math.sqrt(float(mask.sum())))
    return cv2.dilate(mask.astype(np.uint8), _SQUARE, iterations=steps).astype(bool) & ~mask


def _sample_negatives(
    target: Mask,
    background: Mask,
    others: Mask,
    count: int,
    settings: ClickSettings,
    rng: np.random.Generator,
) -> list[tuple[int, int]]:
    if not count:
        return []
    if not target.any():
        return _draw(background, count, rng)
    other = others & background
    places = (
        background,
        other if other.any() else background,
        border_ring(target, settings.ring_width) & background,
    )
    clicks: list[tuple[int, int]] = []
    for place in rng.choice(len(places), count, p=settings.negative_places):
        clicks += _draw(places[place], 1, rng)
    return clicks
