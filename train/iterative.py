"""Simulated corrections while training (section 3.2, second part), also of masks from elsewhere."""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ritm_edge.damaged_mask import damaged_mask

from .click_sampler import FIRST_CLICK_ORDER

THRESHOLD = 0.49
# IoU of a mask from elsewhere that is worth correcting.
DAMAGED_IOU = (0.5, 0.95)


def next_click_candidates(
    target: NDArray[np.bool_], probability: NDArray[np.float32]
) -> tuple[bool, NDArray[np.intp]]:
    """Where the next correcting click may fall.

    The larger of the missed and the wrongly covered region (by its deepest point) is reduced to
    the pixels deeper than half of that depth: about a quarter of its area.

    Args:
        target: bool [H, W]; ignored pixels count as background, as published.
        probability: float32 [H, W], 0…1.

    Returns:
        Whether the click is positive, and flat indices of the candidate pixels (maybe none).
    """
    missed = target & (probability < THRESHOLD)
    extra = ~target & (probability > THRESHOLD)
    depth_missed, depth_extra = _depth(missed), _depth(extra)
    deepest_missed, deepest_extra = depth_missed.max(), depth_extra.max()
    positive = bool(deepest_missed > deepest_extra)
    depth = depth_missed if positive else depth_extra
    return positive, np.flatnonzero(depth > max(deepest_missed, deepest_extra) / 2.0)


def _depth(region: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Distance to the outside of the region; the image border is outside."""
    padded = np.pad(region, 1).astype(np.uint8)
    # The 5×5 approximation, as published for training; evaluation uses the exact transform.
    return np.asarray(cv2.distanceTransform(padded, cv2.DIST_L2, 5)[1:-1, 1:-1], np.float32)


def add_next_clicks(
    labels: Tensor,
    probabilities: Tensor,
    clicks: Tensor,
    *,
    order: int,
    rngs: Sequence[np.random.Generator],
) -> Tensor:
    """Add one correcting click to every sample that has an error.

    Args:
        labels: [B, 1, H, W]; 1 is the object.
        probabilities: float32 [B, 1, H, W] of the previous step.
        clicks: float32 [B, 2K, 3].
        order: 1 for the first correction; it is written to the click and selects the slot, from
            the end of its sign's slots.
        rngs: one source of randomness per sample, so that a sample's clicks do not depend on
            which others share its batch.

    Returns:
        A changed copy of `clicks`.
    """
    clicks = clicks.clone()
    targets = (labels[:, 0] > 0.5).cpu().numpy()
    values = probabilities[:, 0].cpu().numpy()
    for index, (target, probability) in enumerate(zip(targets, values, strict=True)):
        _add_click(clicks[index], target, probability, rngs[index], from_end=order, order=order)
    return clicks


def _add_click(
    clicks: Tensor,
    target: NDArray[np.bool_],
    probability: NDArray[np.float32],
    rng: np.random.Generator,
    *,
    from_end: int,
    order: int,
) -> None:
    """Add a sample's next click, if it has an error, to its [2K, 3] in place.

    Args:
        from_end: slot among those of its sign, 1 for the last.
        order: mark of the click.
    """
    positive, candidates = next_click_candidates(target, probability)
    if candidates.size:
        row, column = divmod(int(rng.choice(candidates)), target.shape[1])
        slots = len(clicks) // 2
        slot = (slots if positive else 2 * slots) - from_end
        clicks[slot] = torch.tensor((row, column, order), dtype=clicks.dtype)


def start_from_damaged_masks(
    labels: Tensor,
    clicks: Tensor,
    *,
    probability: float,
    rngs: Sequence[np.random.Generator],
) -> tuple[Tensor, Tensor]:
    """Let some samples begin as the correction of a mask from elsewhere begins.

    Their previous mask is the object with bites taken out and blobs added, and their only click
    lies in the largest of these errors. (The paper corrects such masks, section 1, without having
    trained on them.)

    Args:
        labels: [B, 1, H, W]; 1 object, 0 background, −1 ignore.
        clicks: float32 [B, 2K, 3], the first clicks.
        probability: chance of each sample; with 0 nothing random is drawn.
        rngs: one source of randomness per sample.

    Returns:
        A changed copy of `clicks`, and the previous masks [B, 1, H, W] (0 or 1).
    """
    prev_mask = torch.zeros_like(labels, dtype=torch.float32)
    if not probability:
        return clicks, prev_mask
    clicks = clicks.clone()
    slots = clicks.shape[1] // 2
    for index, (label, rng) in enumerate(zip(labels[:, 0].cpu().numpy(), rngs, strict=True)):
        target = label == 1
        if rng.random() >= probability or not target.any():
            continue
        name = str(rng.integers(2**31))
        mask = damaged_mask(label.astype(np.int8), rng.uniform(*DAMAGED_IOU), name=name)
        damaged = mask.astype(np.float32)
        prev_mask[index, 0] = torch.from_numpy(damaged)
        clicks[index] = -1
        # As the first click of a session: in the first slot of its sign.
        _add_click(clicks[index], target, damaged, rng, from_end=slots, order=FIRST_CLICK_ORDER)
    return clicks, prev_mask


def simulate_corrections(
    predict: Callable[[Tensor, Tensor, Tensor], Tensor],
    image: Tensor,
    labels: Tensor,
    clicks: Tensor,
    *,
    iterations: int,
    rngs: Sequence[np.random.Generator],
    prev_mask: Tensor | None = None,
    use_prev_mask: bool = True,
) -> tuple[Tensor, Tensor]:
    """Let the current model segment and be corrected `iterations` times.

    Args:
        predict: probabilities [B, 1, H, W] from image, clicks and previous mask, without
            gradients, by the model as it is used after training.
        image: float32 [B, 3, H, W], 0…1.
        labels: [B, 1, H, W].
        clicks: float32 [B, 2K, 3], the first clicks.
        iterations: n ≥ 0.
        rngs: one source of randomness per sample.
        prev_mask: [B, 1, H, W], what the first step is shown; None is zero.
        use_prev_mask: whether the model sees its previous output; without it the mask stays zero
            and only the clicks tell of earlier steps.

    Returns:
        The clicks and the last probabilities [B, 1, H, W] (`prev_mask` for n = 0, zeros without
        `use_prev_mask`) for the training step.
    """
    no_mask = torch.zeros_like(image[:, :1])
    prev_mask = prev_mask.to(image.dtype) if prev_mask is not None and use_prev_mask else no_mask
    for order in range(1, iterations + 1):
        probabilities = predict(image, clicks, prev_mask)
        clicks = add_next_clicks(labels, probabilities, clicks, order=order, rngs=rngs)
        prev_mask = probabilities if use_prev_mask else no_mask
    return clicks, prev_mask
