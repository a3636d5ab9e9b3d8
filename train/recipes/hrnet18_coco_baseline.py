"""HRNet-18 on COCO, without iterative training."""

from ..config import TrainConfig
from ._published import baseline


def recipe() -> TrainConfig:
    return baseline("hrnet18", "coco")
