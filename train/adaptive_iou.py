"""The IoU a training run reports: at the threshold that serves the network best right now."""

from typing import Any

import torch
from torch import Tensor


class AdaptiveIoU:
    """Running IoU at a threshold on probabilities that follows the network (REFERENCE 2.9).

    Every batch is also measured a little below and above the threshold, which then moves a small
    part of the way towards the best of the three. It describes a run; nothing is chosen by it.

    Args:
        threshold: the first threshold, 0…1.
        offset: how far below and above is tried.
        momentum: part of the old threshold that stays after a batch.
        smoothing: part of the old mean that stays after a batch.

    Attributes:
        threshold: the current one.
        mean: exponential mean of the batches, 0…1; starts at 0, as published.
    """

    def __init__(
        self,
        *,
        threshold: float = 0.4,
        offset: float = 0.025,
        momentum: float = 0.99,
        smoothing: float = 0.9,
    ) -> None:
        self.threshold = threshold
        self.offset = offset
        self.momentum = momentum
        self.smoothing = smoothing
        self.mean = 0.0

    @torch.no_grad()
    def count(self, logits: Tensor, labels: Tensor) -> Tensor:
        """What a batch, or one process's part of it, contributes; contributions are added up.

        Args:
            logits: [B, 1, H, W].
            labels: [B, 1, H, W]; above 0.5 object, −1 ignored.

        Returns:
            [7] in double precision: the sum of the samples' IoUs at each of the three thresholds,
            the number of samples counted at each (those with object or predicted pixels), and the
            number of samples with an object.
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

    def update(self, contribution: Tensor) -> float:
        """Take over one batch.

        Args:
            contribution: from `count`, summed over all processes.

        Returns:
            The batch's IoU, 0…1; the mean so far where no sample had an object.
        """
        values: list[float] = contribution.tolist()
        sums, counts, objects = values[:3], values[3:6], values[6]
        if not objects:
            return self.mean
        candidates = self._candidates()
        ious = [total / max(count, 1.0) for total, count in zip(sums, counts, strict=True)]
        best = max(range(3), key=lambda index: (ious[index], -index))
        self.threshold += (1.0 - self.momentum) * (candidates[best] - self.threshold)
        self.mean = self.smoothing * self.mean + (1.0 - self.smoothing) * ious[best]
        return ious[best]

    def _candidates(self) -> tuple[float, float, float]:
        """The threshold itself first: it wins where another is no better."""
        return self.threshold, self.threshold - self.offset, self.threshold + self.offset

    def state_dict(self) -> dict[str, float]:
        """What a checkpoint keeps."""
        return {"threshold": self.threshold, "mean": self.mean}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict()`."""
        self.threshold, self.mean = float(state["threshold"]), float(state["mean"])
