"""First part of a training on CPUs: HRNet-18s from scratch on 128×128 crops."""

from ..config import (
    AugmentationSettings,
    DataSettings,
    ModelSettings,
    OptimizerSettings,
    ScheduleSettings,
    TrainConfig,
)

# Most photos show people: sets of general objects and regions are drawn more often, and sets of
# people less often, than in proportion to their size.
SET_WEIGHTS = {
    "coco_mini/masks": 0.28,
    "bsds/masks_coarse": 0.15,
    "bsds/masks_fine": 0.05,
    "ccp/masks": 0.16,
    "ccp/masks_parts": 0.10,
    "coco_person1/masks": 0.13,
    "human290/masks": 0.06,
    "voc2007_sample/masks": 0.05,
    "msrc_cow/masks": 0.02,
}


def recipe() -> TrainConfig:
    return TrainConfig(
        model=ModelSettings(name="hrnet18s"),
        data=DataSettings(
            datasets=("folder",), batch_size=16, min_object_pixels=80, set_weights=SET_WEIGHTS
        ),
        augmentation=AugmentationSettings(
            kind="object_crops",
            crop=(128, 128),  # small enough for a CPU: most of the learning happens here
        ),
        optimizer=OptimizerSettings(
            lr=1e-3,  # batch norm without pre-trained weights stands twice the usual rate
            backbone_lr_multiplier=1.0,  # nothing is pre-trained
        ),
        schedule=ScheduleSettings(
            steps=3600,
            kind="cosine",
            warmup_steps=150,
            final_fraction=0.1,  # the second part continues from here
        ),
    )
