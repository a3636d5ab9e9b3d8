"""DeepLabV3+ on ResNet-34 on ADE20K, without iterative training."""

from ..config import TrainConfig
from ._published import baseline


def recipe() -> TrainConfig:
    return baseline("deeplab_r34", "ade20k")
