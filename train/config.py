"""Settings of one training run."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from ritm_edge.errors import UsageError

SMALLEST_CROP = 32


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides a run; saved in every checkpoint and compared on resume.

    Attributes:
        model: name for `build_model`.
        crop: (height, width) of training crops, pixels; multiples of 32 keep every HRNet branch
            whole.
        batch_size: samples per step; at least 2, since two batch norms see one value per sample.
        steps: optimiser steps of the whole run.
        learning_rate: peak rate of Adam.
        warmup_steps: linear rise from 0 to the peak.
        final_learning_rate: where the cosine ends, as a fraction of the peak.
        max_iterations: up to this many simulated corrections before the step (section 3.2).
        aux_weight: weight of the auxiliary binary cross-entropy (section 3.4).
        object_crop_probability: share of crops cut around the object as zoom-in does.
        min_object_pixels: smaller objects, in the crop, are not trained on.
        merge_probability: chance that two objects of a photo become one target.
        max_clicks: slots per sign.
        set_weights: relative chance of each annotation set ("SET/masks"); sets that are not
            named are drawn in proportion to their number of photos.
        seed: decides data order, augmentation and clicks.

    Raises:
        UsageError: a value that cannot be trained with; the message names it.
    """

    model: str = "hrnet18s"
    crop: tuple[int, int] = (160, 160)
    batch_size: int = 16
    steps: int = 2000
    learning_rate: float = 5e-4
    warmup_steps: int = 100
    final_learning_rate: float = 0.02
    max_iterations: int = 3
    aux_weight: float = 0.4
    object_crop_probability: float = 0.5
    min_object_pixels: int = 80
    merge_probability: float = 0.15
    max_clicks: int = 24
    set_weights: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.crop) < SMALLEST_CROP:
            raise UsageError(
                f"the crop {self.crop[0]}x{self.crop[1]} is too small: use at least "
                f"{SMALLEST_CROP}x{SMALLEST_CROP} pixels."
            )
        if self.batch_size < 2:
            raise UsageError(
                f"the batch size is {self.batch_size}: batch norm needs at least 2 samples."
            )
        if self.steps < 1:
            raise UsageError(f"the number of steps is {self.steps}: train for at least 1.")
        if not 0 < self.learning_rate < math.inf:
            raise UsageError(f"the learning rate is {self.learning_rate}: pass a value above 0.")
        if self.max_iterations > self.max_clicks:
            raise UsageError(
                f"{self.max_iterations} corrections do not fit into {self.max_clicks} slots: "
                "raise max_clicks or lower max_iterations."
            )
        for name in ("warmup_steps", "max_iterations", "aux_weight", "min_object_pixels", "seed"):
            self._check_range(name, 0, math.inf)
        for name in ("final_learning_rate", "object_crop_probability", "merge_probability"):
            self._check_range(name, 0, 1)
        for name, weight in self.set_weights.items():
            if not 0 <= weight < math.inf:
                raise UsageError(f"the weight of the set {name} is {weight}: pass 0 or more.")

    def _check_range(self, name: str, low: float, high: float) -> None:
        value = getattr(self, name)
        if not low <= value <= high or value == math.inf:
            limits = f"at least {low}" if high == math.inf else f"from {low} to {high}"
            raise UsageError(f"{name} is {value}: pass a value {limits}.")

    def as_dict(self) -> dict[str, object]:
        """Plain values only, so that checkpoints load without executing code."""
        values = asdict(self)
        values["crop"] = list(self.crop)
        values["set_weights"] = dict(self.set_weights)
        return values
