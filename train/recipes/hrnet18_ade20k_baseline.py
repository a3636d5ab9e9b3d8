"""HRNet-18 on ADE20K, without iterative training."""

from ..config import TrainConfig
from ._published import baseline


def recipe() -> TrainConfig:
    return baseline("hrnet18", "ade20k")
