"""The IoU that a training run reports, at the threshold that suits the network best so far."""

from typing import Any

import torch
from torch import Tensor


class AdaptiveIoU:
    """Running IoU at a threshold on probabilities that follows the network, as published.

    Every batch is also measured a little below and above the threshold, which then moves a small
    part of the way towards the best of the three. It describes a run; nothing is chosen by it.

    Args:
        threshold: the first threshold, 0…1.
        offset: how far below and above is tried.
        momentum: part of the old threshold that stays after a batch.
        smoothing: part of the old mean that stays after a batch.
        device: where the contributions are; nothing is read back from it.

    Attributes:
        threshold: the current one, float64 [].
        mean: exponential mean of the batches, 0…1, float64 []; starts at 0, as published.
    """

    def __init__(
        self,
        *,
        threshold: float = 0.4,
        offset: float = 0.025,
        momentum: float = 0.99,
        smoothing: float = 0.9,
        device: torch.device | None = None,
    ) -> None:
        self.threshold = torch.tensor(threshold, dtype=torch.float64, device=device)
        self.offset = offset
        self.momentum = momentum
        self.smoothing = smoothing
        self.mean = torch.zeros_like(self.threshold)

    @torch.no_grad()
    def count(self, logits: Tensor, labels: Tensor) -> Tensor:
        """What a batch, or one process's part of it, contributes, from logits and labels (above 0.5
        object, −1 ignored), [B, 1, H, W]. Contributions are added up.

        They are [7] in double precision: the sum of the samples' IoUs at each of the three
        thresholds, the number of samples counted at each (those with object or predicted pixels),
        and the number of samples with an object.
        """
        probability = torch.sigmoid(logits.float())
        truth, valid = labels > 0.5, labels != -1
        sums, counts = [], []
        for threshold in self._candidates():
            predicted = (probability > threshold) & valid
            both = (predicted & truth).flatten(1).sum(dim=1)
            either = (predicted | truth).flatten(1).sum(dim=1)
            sums.append((both / either.clamp(min=1)).double().sum())
            counts.append((either > 0).sum())
        objects = truth.flatten(1).any(dim=1).sum()
        return torch.stack([*sums, *(value.double() for value in (*counts, objects))])

    def update(self, contribution: Tensor) -> Tensor:
        """Take over one batch's contributions from `count`, summed over all processes. Returns the
        batch's IoU, 0…1, float64 []; the mean so far where no sample had an object."""
        any_object = contribution[6] > 0
        # Of equal ones the first.
        iou, best = (contribution[:3] / contribution[3:6].clamp(min=1)).max(0)
        candidate = torch.stack(self._candidates()).gather(0, best[None])[0]
        moved = self.threshold + (1.0 - self.momentum) * (candidate - self.threshold)
        mean = self.smoothing * self.mean + (1.0 - self.smoothing) * iou
        self.threshold.copy_(torch.where(any_object, moved, self.threshold))
        self.mean.copy_(torch.where(any_object, mean, self.mean))
        return torch.where(any_object, iou, self.mean)

    def _candidates(self) -> tuple[Tensor, Tensor, Tensor]:
        """The threshold itself comes first: it wins if no other is better."""
        return self.threshold, self.threshold - self.offset, self.threshold + self.offset

    def state_dict(self) -> dict[str, float]:
        """What a checkpoint keeps."""
        return {"threshold": float(self.threshold), "mean": float(self.mean)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict()`."""
        self.threshold.fill_(float(state["threshold"]))
        self.mean.fill_(float(state["mean"]))
