"""HRNet-18 on COCO+LVIS, without iterative training."""

from ..config import TrainConfig
from ._published import baseline, with_draws


def recipe() -> TrainConfig:
    return baseline("hrnet18", "coco-lvis")


def as_implemented() -> TrainConfig:
    return with_draws(recipe(), 30_000, 230, (200, 220), batch=28)
