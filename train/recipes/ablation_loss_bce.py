"""Loss ablation: binary cross-entropy; HRNet-18 on SBD, without iterative training."""

from dataclasses import replace

from ..config import LossSettings, TrainConfig
from ._published import baseline, with_length


def recipe() -> TrainConfig:
    return replace(baseline("hrnet18", "sbd"), loss=LossSettings(kind="bce"))


def as_implemented() -> TrainConfig:
    return with_length(recipe(), 160, (140, 155))
