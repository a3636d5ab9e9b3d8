"""Losses of the paper, per sample (section 3.4). Labels: 1 object, 0 background, -1 ignore."""

import torch
import torch.nn.functional as F
from torch import Tensor


def normalized_focal_loss(
    logits: Tensor, labels: Tensor, *, alpha: float = 0.5, gamma: float = 2.0
) -> Tensor:
    """Focal loss whose weights sum to the number of valid pixels (section 3.4, equation 2).

    The normalising factor is a constant for the gradient; the weights themselves are not.

    Args:
        logits: float32 [B, 1, H, W].
        labels: [B, 1, H, W].
        alpha: weight of object pixels; background has 1 − alpha.
        gamma: focusing exponent.

    Returns:
        [B].
    """
    valid = labels != -1
    probability = torch.sigmoid(logits)
    class_weight = torch.where(labels > 0.5, alpha, 1.0 - alpha)
    confidence = torch.where(valid, 1.0 - (labels - probability).abs(), torch.ones_like(logits))
    focus = (1.0 - confidence) ** gamma
    pixels = valid.sum(dim=(-2, -1), keepdim=True)
    with torch.no_grad():
        multiplier = pixels / (focus.sum(dim=(-2, -1), keepdim=True) + 1e-12)
    loss = -class_weight * (focus * multiplier) * torch.log((confidence + 1e-12).clamp(max=1.0))
    return _sum_over_valid(loss, valid)


def binary_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Binary cross-entropy; ignored pixels add 0 but count in the mean, as published.

    Args: as `normalized_focal_loss`.

    Returns:
        [B].
    """
    valid = labels != -1
    target = torch.where(valid, labels, torch.zeros_like(labels)).to(logits.dtype)
    loss = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return torch.where(valid, loss, torch.zeros_like(loss)).flatten(1).mean(dim=1)


def _sum_over_valid(loss: Tensor, valid: Tensor) -> Tensor:
    loss = torch.where(valid, loss, torch.zeros_like(loss)).flatten(1).sum(dim=1)
    return loss / (valid.flatten(1).sum(dim=1) + 1e-12)
