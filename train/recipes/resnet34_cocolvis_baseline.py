"""DeepLabV3+ on ResNet-34 on COCO+LVIS, without iterative training."""

from ..config import TrainConfig
from ._published import baseline, with_draws


def recipe() -> TrainConfig:
    return baseline("deeplab_r34", "coco-lvis")


def as_implemented() -> TrainConfig:
    return with_draws(recipe(), 30_000, 160, (140, 155), batch=28)
