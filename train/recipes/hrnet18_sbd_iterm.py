"""HRNet-18 ITER-M on SBD."""

from ..config import TrainConfig
from ._published import iterative, with_length, with_small_objects, with_turns


def recipe() -> TrainConfig:
    return with_turns(with_small_objects(iterative("hrnet18", "sbd"), empty_crops=0.01))


def as_implemented() -> TrainConfig:
    return with_length(recipe(), 220, (200, 215))
