"""HRNet-18 on OpenImages, without iterative training."""

from ..config import TrainConfig
from ._published import baseline, with_draws


def recipe() -> TrainConfig:
    return baseline("hrnet18", "openimages")


def as_implemented() -> TrainConfig:
    return with_draws(recipe(), 30_000, 140, (120, 135), batch=28)
