"""How many steps a run has, and the learning rate at each."""

import math
from dataclasses import dataclass

from ritm_edge.errors import TrainingError

from .config import TrainConfig


@dataclass(frozen=True)
class RunLength:
    """Steps of an epoch and of the whole run, both at least 1."""

    steps_per_epoch: int
    steps: int


def run_length(config: TrainConfig, photos: int) -> RunLength:
    """Count the steps; the last, partial batch of an epoch is dropped, as published. Raises
    TrainingError: an epoch has less than one batch."""
    samples = config.data.epoch_samples or photos
    steps_per_epoch = samples // config.data.batch_size
    steps = config.schedule.steps or config.schedule.epochs * steps_per_epoch
    if not steps:
        raise TrainingError(
            f"an epoch of {samples} samples is less than one batch of {config.data.batch_size}: "
            "lower data.batch_size or raise data.epoch_samples."
        )
    return RunLength(max(steps_per_epoch, 1), steps)


def learning_rate_at(step: int, config: TrainConfig, length: RunLength) -> float:
    """Rate of the step after `step` steps: linear warm-up, then steps or a cosine."""
    schedule, peak = config.schedule, config.optimizer.lr
    if step < schedule.warmup_steps:
        return peak * (step + 1) / schedule.warmup_steps
    if schedule.kind == "multistep":
        passed = sum(step >= epoch * length.steps_per_epoch for epoch in schedule.milestones)
        return peak * schedule.gamma**passed
    progress = (step - schedule.warmup_steps) / max(1, length.steps - schedule.warmup_steps)
    low = schedule.final_fraction
    return peak * (low + (1 - low) * 0.5 * (1 + math.cos(math.pi * progress)))
