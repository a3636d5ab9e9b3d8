"""DeepLabV3+ on ResNet-34 on SBD, without iterative training."""

from ..config import TrainConfig
from ._published import baseline, with_length


def recipe() -> TrainConfig:
    return baseline("deeplab_r34", "sbd")


def as_implemented() -> TrainConfig:
    return with_length(recipe(), 120, (100, 115))
