"""First clicks and corrections of a whole batch on the device, without reading anything back.

The rules are those of `click_sampler` and `iterative`, with exact distances. Which kind of place
every click falls on is drawn where the batch is loaded; the pixel is found here, from a number
between 0 and 1 that depends on seed and position alone.
"""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ritm_edge.io_spec import MASK_THRESHOLD

from .click_sampler import (
    ERODE_TIMES,
    FIRST_CLICK_ORDER,
    MIN_PIXELS_AFTER_EROSION,
    count_probabilities,
)
from .config import ClickSettings, IterativeSettings
from .distance import squared_depth

# Where a first click falls: on the first or second part of the target, deep in the target, on its
# deepest pixel, on the background, on another object, on the ring around the target.
FIRST_PART, SECOND_PART, DEEP, DEEPEST, BACKGROUND, OTHER, RING = range(7)


def draw_places(
    parts: int, settings: ClickSettings, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Choose how many first clicks there are, and the kind of place of each, for the 0 to 2 parts
    of a target: places int64 [2K], −1 for an empty slot, and bool [2], whether clicks on the first
    and on the second part avoid its rim."""
    slots, decay = settings.max_clicks, settings.decay
    places = np.full(2 * slots, -1)
    eroded = rng.random(2) < settings.erode_probability
    single = rng.random() < settings.single_click_probability and parts > 0
    if single:
        kind = rng.choice(3, p=settings.positive_places)
        places[0] = rng.integers(parts) if kind == 0 else (DEEP, DEEPEST)[kind - 1]
        return places, eroded
    if parts:
        # One on each part, and further ones on any.
        chances = count_probabilities(slots + parts - 1, decay)
        count = min(parts + int(rng.choice(len(chances), p=chances)), slots)
        places[:count] = rng.integers(parts, size=count)
        places[:parts] = range(parts)
    count = int(rng.choice(slots + 1, p=count_probabilities(slots + 1, decay)))
    kinds = rng.choice(3, count, p=settings.negative_places)
    places[slots : slots + count] = BACKGROUND + (kinds if parts else 0 * kinds)
    return places, eroded


def first_clicks(
    parts: Tensor,
    others: Tensor,
    ignored: Tensor,
    *,
    places: Tensor,
    eroded: Tensor,
    chances: Tensor,
    settings: ClickSettings,
) -> Tensor:
    """Put the first clicks where `draw_places` wants them; one without such a place is left out.

    Args:
        parts: bool [B, 2, H, W]; the target is their union.
        others: bool [B, H, W], other objects.
        ignored: bool [B, H, W]; no negative click falls there.
        places: of each sample, on the host.
        eroded: of each sample.
        chances: float64 [B, 2K], 0…1: which of the pixels.
        settings: places and widths.

    Returns:
        float32 [B, 2K, 3]; see `sample_first_clicks`.
    """
    target = parts.any(1)
    background = ~(target | ignored)
    other = others & background
    ring = _near(target, settings.ring_width) & background
    # Erosion as dilation of what is outside; the border of the crop erodes nothing.
    size = 2 * ERODE_TIMES + 1
    outside = (~parts).to(torch.bfloat16 if parts.is_cuda else torch.float32)
    for window, padding in (((size, 1), (ERODE_TIMES, 0)), ((1, size), (0, ERODE_TIMES))):
        outside = F.max_pool2d(outside, window, 1, padding)
    inner = parts & (outside == 0)
    enough = inner.sum((2, 3)) > MIN_PIXELS_AFTER_EROSION
    inner = torch.where((enough & eroded)[:, :, None, None], inner, parts)
    regions = {
        FIRST_PART: inner[:, 0],
        SECOND_PART: inner[:, 1],
        BACKGROUND: background,
        OTHER: torch.where(other.any(2).any(1)[:, None, None], other, background),
        RING: ring,
    }
    # Distances are dear: of the samples alone that need them, which the host knows.
    rows = ((places == DEEP) | (places == DEEPEST)).any(1).nonzero()[:, 0]
    rows = rows.to(target.device, non_blocking=True)
    if len(rows):
        depth = torch.zeros_like(target, dtype=torch.float32)
        depth[rows] = squared_depth(target[rows].byte())
        depth = depth * target
        greatest = depth.amax((1, 2), keepdim=True)
        regions |= {DEEP: 4 * depth > greatest, DEEPEST: (depth == greatest) & target}
    places = places.to(target.device, non_blocking=True)
    clicks = chances.new_full((*places.shape, 3), -1, dtype=torch.float32)
    for place, region in regions.items():
        index, found = _choose(region, chances)
        taken = found & (places == place)
        clicks = torch.where(taken[..., None], _as_clicks(index, region, FIRST_CLICK_ORDER), clicks)
    return clicks


def add_next_clicks(
    labels: Tensor,
    probabilities: Tensor,
    clicks: Tensor,
    *,
    order: int | Tensor,
    chances: Tensor,
    settings: IterativeSettings,
) -> Tensor:
    """As `iterative.add_next_clicks`, with exact distances; `chances`, float64 [B, 2], 0…1, decide
    whether the click falls on the deepest pixel, and on which of the pixels that may be chosen."""
    target = labels[:, 0] > 0.5
    missed = target & (probabilities[:, 0] < MASK_THRESHOLD)
    extra = ~target & (probabilities[:, 0] > MASK_THRESHOLD)
    if settings.skip_ignored:
        extra &= labels[:, 0] >= 0
    depth = squared_depth(missed.byte() + 2 * extra.byte())
    deepest_missed, deepest_extra = ((depth * each).amax((1, 2)) for each in (missed, extra))
    positive = deepest_missed > deepest_extra
    depth = depth * torch.where(positive[:, None, None], missed, extra)
    greatest = torch.maximum(deepest_missed, deepest_extra)[:, None, None]
    wanted = (chances[:, 0] < settings.deepest_probability)[:, None, None]
    region = torch.where(wanted, (depth == greatest) & (depth > 0), 4 * depth > greatest)
    index, found = _choose(region, chances[:, 1:])
    slots = clicks.shape[1] // 2
    slot = torch.where(positive, slots, 2 * slots) - order
    chosen = (torch.arange(2 * slots, device=slot.device) == slot[:, None]) & found
    return torch.where(chosen[..., None], _as_clicks(index, region, order), clicks)


def _choose(region: Tensor, chances: Tensor) -> tuple[Tensor, Tensor]:
    """Uniform pixels of bool [B, H, W]: flat indices [B, N], and whether there is any, [B, 1]."""
    counts = region.flatten(1).cumsum(1, dtype=torch.int32)
    total = counts[:, -1:]
    rank = torch.minimum((chances * total).int() + 1, total)
    return torch.searchsorted(counts, rank), total > 0


def _as_clicks(index: Tensor, region: Tensor, order: int | Tensor) -> Tensor:
    row, column = index // region.shape[2], index % region.shape[2]
    return torch.stack((row, column, torch.zeros_like(row) + order), 2).float()


def _near(target: Tensor, width: float) -> Tensor:
    """Pixels in a square around any of the target's, to `width` of the root of its area."""
    steps = (width * target.sum((1, 2)).double().sqrt()).ceil().long()[:, None, None]
    for axis in (1, 2):
        counts = F.pad(target.movedim(axis, 2).cumsum(2, dtype=torch.int32), (1, 0))
        place = torch.arange(counts.shape[2] - 1, device=target.device)
        last = (place + steps + 1).clamp(max=len(place)).expand(-1, counts.shape[1], -1)
        first = (place - steps).clamp(min=0).expand(-1, counts.shape[1], -1)
        target = (counts.gather(2, last) > counts.gather(2, first)).movedim(2, axis)
    return target
