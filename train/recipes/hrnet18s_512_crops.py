"""Last part of a training on CPUs: the size of whole photos, and corrections of damaged masks.

The first click of a session sees the whole photo, larger than any crop before. And the
network had only ever seen its own answers as previous masks: a click on a mask from elsewhere could
make it forget a part of that mask.
"""

from dataclasses import replace

from ..config import TrainConfig
from .hrnet18s_whole_objects import recipe as whole_objects


def recipe() -> TrainConfig:
    before = whole_objects()
    return replace(
        before,
        data=replace(before.data, batch_size=4),
        augmentation=replace(before.augmentation, crop=(512, 512), object_crop_probability=0.3),
        iterative=replace(before.iterative, damaged_start_probability=0.15),
        optimizer=replace(before.optimizer, lr=3e-4),
        schedule=replace(before.schedule, steps=700),
    )
