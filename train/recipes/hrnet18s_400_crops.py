"""Fourth part of a training on CPUs: the 400 pixels of zoom-in, with a rate that falls to 0."""

from dataclasses import replace

from ..config import TrainConfig
from .hrnet18s_320_crops import recipe as crops_of_320


def recipe() -> TrainConfig:
    before = crops_of_320()
    return replace(
        before,
        data=replace(before.data, batch_size=6),
        augmentation=replace(before.augmentation, crop=(400, 400)),
        optimizer=replace(before.optimizer, lr=3e-4),
        schedule=replace(before.schedule, steps=950, final_fraction=0.0),
    )
