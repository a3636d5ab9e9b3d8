"""Losses of the paper, per sample (section 3.4). Labels: 1 object, 0 background, -1 ignore.

The names in `LOSSES` are those of the ablation (Table 4): BCE, soft IoU, focal and normalised
focal loss.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

NORMALIZED_EPSILON = 1e-12
FOCAL_EPSILON = 1e-9
SOFT_IOU_EPSILON = 1e-8


def normalized_focal_loss(
    logits: Tensor,
    labels: Tensor,
    *,
    alpha: float = 0.5,
    gamma: float = 2.0,
    max_multiplier: float | None = None,
    detach_multiplier: bool = True,
    average: bool = True,
) -> Tensor:
    """Focal loss whose weights sum to the number of valid pixels (section 3.4, equation 2).

    Args:
        logits: floats [B, 1, H, W].
        labels: [B, 1, H, W]; values between 0 and 1 are soft targets.
        alpha: weight of object pixels; background has 1 − alpha.
        gamma: focusing exponent, ≥ 0.
        max_multiplier: upper limit of a pixel's normalised weight; None for no limit, as
            published.
        detach_multiplier: the normalising factor is a constant for the gradient, as published;
            the weights that it scales are not.
        average: divide by the number of valid pixels.

    Returns:
        [B].
    """
    valid = labels != -1
    class_weight, confidence = _class_weight_and_confidence(logits, labels, valid, alpha)
    focus = (1.0 - confidence) ** gamma
    pixels = valid.sum(dim=(-2, -1), keepdim=True)
    total = focus.detach() if detach_multiplier else focus
    multiplier = pixels / (total.sum(dim=(-2, -1), keepdim=True) + NORMALIZED_EPSILON)
    weight = focus * multiplier
    if max_multiplier is not None:
        weight = weight.clamp(max=max_multiplier)
    loss = -class_weight * weight * torch.log((confidence + NORMALIZED_EPSILON).clamp(max=1.0))
    return _sum_over_valid(loss, valid, NORMALIZED_EPSILON if average else None)


def focal_loss(logits: Tensor, labels: Tensor, *, alpha: float = 0.5, gamma: float = 2.0) -> Tensor:
    """Focal loss [B], mean over valid pixels (the ablation's comparison, Table 4); arguments as of
    `normalized_focal_loss`."""
    valid = labels != -1
    class_weight, confidence = _class_weight_and_confidence(logits, labels, valid, alpha)
    focus = (1.0 - confidence) ** gamma
    loss = -class_weight * focus * torch.log((confidence + FOCAL_EPSILON).clamp(max=1.0))
    return _sum_over_valid(loss, valid, FOCAL_EPSILON)


def soft_iou_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """1 − soft IoU of the probabilities, [B], 0…1; a sample without valid pixels counts 1, as
    published. Arguments as of `normalized_focal_loss`."""
    valid = labels != -1
    probability = torch.sigmoid(logits)
    both = (probability * labels * valid).flatten(1).sum(dim=1)
    either = (torch.maximum(probability, labels.to(logits.dtype)) * valid).flatten(1).sum(dim=1)
    return 1.0 - both / (either + SOFT_IOU_EPSILON)


def binary_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Binary cross-entropy [B]; ignored pixels add 0 but count in the mean, as published. Arguments
    as of `normalized_focal_loss`."""
    valid = labels != -1
    target = torch.where(valid, labels, torch.zeros_like(labels)).to(logits.dtype)
    loss = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return torch.where(valid, loss, torch.zeros_like(loss)).flatten(1).mean(dim=1)


LOSSES: dict[str, Callable[..., Tensor]] = {
    "nfl": normalized_focal_loss,
    "focal": focal_loss,
    "soft_iou": soft_iou_loss,
    "bce": binary_cross_entropy,
}


def _class_weight_and_confidence(
    logits: Tensor, labels: Tensor, valid: Tensor, alpha: float
) -> tuple[Tensor, Tensor]:
    """alpha or 1 − alpha, and the probability given to the true class (1 where ignored)."""
    class_weight = torch.where(labels > 0.5, alpha, 1.0 - alpha)
    # Not in logit space: where float32 forms exactly 0 here, the published gradient has spikes.
    distance = (labels - torch.sigmoid(logits)).abs()
    return class_weight, torch.where(valid, 1.0 - distance, torch.ones_like(logits))


def _sum_over_valid(loss: Tensor, valid: Tensor, epsilon: float | None) -> Tensor:
    loss = torch.where(valid, loss, torch.zeros_like(loss)).flatten(1).sum(dim=1)
    return loss if epsilon is None else loss / (valid.flatten(1).sum(dim=1) + epsilon)
