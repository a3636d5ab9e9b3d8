"""Second leg of the embedded weights: goes on from the first (--init) on 256×256 crops."""

from dataclasses import replace

from ..config import TrainConfig
from .hrnet18s_small_crops import recipe as small_crops


def recipe() -> TrainConfig:
    return replace(
        small_crops(),
        crop=(256, 256),  # nearer to the 400 pixels of zoom-in, where disks look smaller
        batch_size=6,
        steps=1000,
        learning_rate=5e-4,
        warmup_steps=10,
        final_learning_rate=0.02,
        object_crop_probability=0.6,
    )
