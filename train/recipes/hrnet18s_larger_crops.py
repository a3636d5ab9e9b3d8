"""Second part of a training on CPUs: continues the first (--init) on 256×256 crops."""

from dataclasses import replace

from ..config import TrainConfig
from .hrnet18s_small_crops import recipe as small_crops


def recipe() -> TrainConfig:
    before = small_crops()
    return replace(
        before,
        data=replace(before.data, batch_size=6),
        augmentation=replace(
            before.augmentation,
            crop=(256, 256),  # nearer to the 400 pixels of zoom-in, where disks look smaller
            object_crop_probability=0.6,
        ),
        optimizer=replace(before.optimizer, lr=5e-4),
        schedule=replace(before.schedule, steps=1000, warmup_steps=10, final_fraction=0.02),
    )
