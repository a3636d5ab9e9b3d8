"""Simulated corrections while training (section 3.2, second part)."""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ritm_edge.model.ritm import ModelOutput, RitmModel

THRESHOLD = 0.49


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
    labels: Tensor, probabilities: Tensor, clicks: Tensor, *, order: int, rng: np.random.Generator
) -> Tensor:
    """Add one correcting click to every sample that has an error.

    Args:
        labels: [B, 1, H, W]; 1 is the object.
        probabilities: float32 [B, 1, H, W] of the previous step.
        clicks: float32 [B, 2K, 3].
        order: 1 for the first correction; it is written to the click and selects the slot, from
            the end of its sign's slots.
        rng: source of randomness.

    Returns:
        A changed copy of `clicks`.
    """
    clicks = clicks.clone()
    slots = clicks.shape[1] // 2
    width = labels.shape[3]
    targets = (labels[:, 0] > 0.5).cpu().numpy()
    values = probabilities[:, 0].cpu().numpy()
    for index, (target, probability) in enumerate(zip(targets, values, strict=True)):
        positive, candidates = next_click_candidates(target, probability)
        if candidates.size:
            row, column = divmod(int(rng.choice(candidates)), width)
            slot = (slots if positive else 2 * slots) - order
            clicks[index, slot] = torch.tensor((row, column, order), dtype=clicks.dtype)
    return clicks


def segment(model: RitmModel, image: Tensor, clicks: Tensor, prev_mask: Tensor) -> ModelOutput:
    """Run the model; one that was built without a previous-mask input is not given any."""
    return model(image, clicks, prev_mask if model.config.prev_mask else None)


def simulate_corrections(
    model: RitmModel,
    image: Tensor,
    labels: Tensor,
    clicks: Tensor,
    *,
    iterations: int,
    rng: np.random.Generator,
    use_prev_mask: bool = True,
) -> tuple[Tensor, Tensor]:
    """Let the current model segment and be corrected `iterations` times, without gradients.

    Args:
        model: in train mode before and after; evaluated with running statistics in between.
        image: float32 [B, 3, H, W], 0…1.
        labels: [B, 1, H, W].
        clicks: float32 [B, 2K, 3], the first clicks.
        iterations: n ≥ 0.
        rng: source of randomness.
        use_prev_mask: whether the network sees its previous output; without it the mask stays
            zero and only the clicks tell of earlier steps.

    Returns:
        The clicks and the last probabilities [B, 1, H, W] (zeros for n = 0 or without
        `use_prev_mask`) for the training step.
    """
    no_mask = prev_mask = torch.zeros_like(image[:, :1])
    if not iterations:
        return clicks, no_mask
    model.eval()
    with torch.no_grad():
        for order in range(1, iterations + 1):
            probabilities = torch.sigmoid(segment(model, image, clicks, prev_mask).mask_logits)
            clicks = add_next_clicks(labels, probabilities, clicks, order=order, rng=rng)
            prev_mask = probabilities if use_prev_mask else no_mask
    model.train()
    return clicks, prev_mask
