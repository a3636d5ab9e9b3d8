"""HRNet-18s ITER-M on COCO+LVIS, one of the paper's main models."""

from ..config import TrainConfig
from ._published import iterative, with_draws


def recipe() -> TrainConfig:
    return iterative("hrnet18s", "coco-lvis")


def as_implemented() -> TrainConfig:
    return with_draws(recipe(), 30_000, 230, (200, 220), batch=32)
