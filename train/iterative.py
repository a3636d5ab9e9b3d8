"""Simulated corrections while training (section 3.2, second part), also of masks from elsewhere."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ritm_edge.evaluation.damaged_mask import damaged_mask
from ritm_edge.io_spec import MASK_THRESHOLD

from .click_sampler import FIRST_CLICK_ORDER, depth_of
from .config import IterativeSettings

# IoU of a mask from elsewhere that is worth correcting.
DAMAGED_IOU = (0.5, 0.95)


def next_click_candidates(
    target: NDArray[np.bool_],
    probability: NDArray[np.float32],
    *,
    ignored: NDArray[np.bool_] | None = None,
    deepest: bool = False,
) -> tuple[bool, NDArray[np.intp]]:
    """Where the next correcting click may fall.

    The larger of the missed and the wrongly covered region (by its deepest point) is reduced to
    the pixels deeper than half of that depth: about a quarter of its area.

    Args:
        target: bool [H, W].
        probability: float32 [H, W], 0…1.
        ignored: bool [H, W], pixels where no correction falls; None counts them as background, as
            published.
        deepest: only the deepest pixels of the region.

    Returns:
        Whether the click is positive, and flat indices of the candidate pixels (maybe none).
    """
    missed = target & (probability < MASK_THRESHOLD)
    extra = ~target & (probability > MASK_THRESHOLD)
    if ignored is not None:
        extra &= ~ignored
    depth_missed, depth_extra = depth_of(missed), depth_of(extra)
    deepest_missed, deepest_extra = depth_missed.max(), depth_extra.max()
    positive = bool(deepest_missed > deepest_extra)
    depth = depth_missed if positive else depth_extra
    greatest = max(deepest_missed, deepest_extra)
    chosen = (depth == greatest) & (depth > 0) if deepest else depth > greatest / 2.0
    return positive, np.flatnonzero(chosen)


def add_next_clicks(
    labels: Tensor,
    probabilities: Tensor,
    clicks: Tensor,
    *,
    order: int,
    rngs: Sequence[np.random.Generator],
    settings: IterativeSettings | None = None,
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
        settings: where corrections fall; None as published.

    Returns:
        A changed copy of `clicks`.
    """
    clicks = clicks.clone()
    settings = settings or IterativeSettings()
    values = probabilities[:, 0].cpu().numpy()
    for index, (label, probability) in enumerate(
        zip(labels[:, 0].cpu().numpy(), values, strict=True)
    ):
        rng, chance = rngs[index], settings.deepest_probability
        _add_click(
            clicks[index],
            next_click_candidates(
                label > 0.5,
                probability,
                ignored=label < 0 if settings.skip_ignored else None,
                deepest=chance > 0 and rng.random() < chance,
            ),
            probability.shape[1],
            rng,
            from_end=order,
            order=order,
        )
    return clicks


def _add_click(
    clicks: Tensor,
    found: tuple[bool, NDArray[np.intp]],
    width: int,
    rng: np.random.Generator,
    *,
    from_end: int,
    order: int,
) -> None:
    """Add a sample's next click, if it has an error, to its [2K, 3] in place. `found` is from
    `next_click_candidates`, of a crop `width` pixels wide; the slot is the one `from_end` among
    those of its sign, 1 the last."""
    positive, candidates = found
    if candidates.size:
        row, column = divmod(int(rng.choice(candidates)), width)
        slots = len(clicks) // 2
        slot = (slots if positive else 2 * slots) - from_end
        clicks[slot] = torch.tensor((row, column, order), dtype=clicks.dtype)


def start_from_damaged_masks(
    labels: Tensor, clicks: Tensor, *, probability: float, rngs: Sequence[np.random.Generator]
) -> tuple[Tensor, Tensor]:
    """Let some samples begin like the correction of a mask from elsewhere.

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
        found = next_click_candidates(target, damaged)
        _add_click(
            clicks[index], found, label.shape[1], rng, from_end=slots, order=FIRST_CLICK_ORDER
        )
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
    settings: IterativeSettings | None = None,
    add_clicks: Callable[..., Tensor] | None = None,
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
        settings: where corrections fall, and whether the model sees its previous output (without
            it the mask stays zero and only the clicks tell of earlier steps); None as published.
        add_clicks: in the place of `add_next_clicks`, without its `rngs` and `settings`.

    Returns:
        The clicks and the last probabilities [B, 1, H, W] (`prev_mask` for n = 0, zeros without
        `use_prev_mask`) for the training step.
    """
    settings = settings or IterativeSettings()
    use_prev_mask = settings.use_prev_mask
    add_clicks = add_clicks or partial(add_next_clicks, rngs=rngs, settings=settings)
    no_mask = torch.zeros_like(image[:, :1])
    prev_mask = prev_mask.to(image.dtype) if prev_mask is not None and use_prev_mask else no_mask
    for order in range(1, iterations + 1):
        probabilities = predict(image, clicks, prev_mask)
        clicks = add_clicks(labels, probabilities, clicks, order=order)
        prev_mask = probabilities if use_prev_mask else no_mask
    return clicks, prev_mask
