"""Second leg of the embedded weights: goes on from the first (--init) on 224×224 crops."""

from dataclasses import replace

from ..config import TrainConfig
from .hrnet18s_small_crops import recipe as small_crops


def recipe() -> TrainConfig:
    return replace(
        small_crops(),
        crop=(224, 224),  # nearer to the 400 pixels of zoom-in, where disks look smaller
        batch_size=8,
        steps=1200,
        learning_rate=4e-4,
        warmup_steps=50,
        final_learning_rate=0.02,
    )
