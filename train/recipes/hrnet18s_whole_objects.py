"""Fifth part of a training on CPUs: like the fourth, with fewer parts and no tiny objects.

What one click means is ambiguous: a sleeve, the coat, the person. The published zoom-in shows the
network little more than its last answer, so that an answer too small costs several clicks.
"""

from dataclasses import replace

from ..config import TrainConfig
from .hrnet18s_400_crops import recipe as crops_of_400

SET_WEIGHTS = {
    "coco_mini/masks": 0.38,
    "bsds/masks_coarse": 0.14,
    "bsds/masks_fine": 0.01,
    "ccp/masks": 0.14,
    "ccp/masks_parts": 0.03,
    "coco_person1/masks": 0.13,
    "human290/masks": 0.07,
    "voc2007_sample/masks": 0.07,
    "msrc_cow/masks": 0.03,
}


def recipe() -> TrainConfig:
    before = crops_of_400()
    return replace(
        before,
        data=replace(before.data, set_weights=SET_WEIGHTS, min_object_pixels=1000),
        augmentation=replace(before.augmentation, object_crop_probability=0.4),
        optimizer=replace(before.optimizer, lr=4e-4),
    )
