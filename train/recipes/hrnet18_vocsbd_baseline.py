"""HRNet-18 on Pascal VOC + SBD, without iterative training."""

from ..config import TrainConfig
from ._published import baseline


def recipe() -> TrainConfig:
    return baseline("hrnet18", "pascal-voc-sbd")
