"""First leg of the embedded weights: HRNet-18s from scratch on 128×128 crops."""

from ..config import TrainConfig

# People dominate the photos by number: general objects and regions are drawn more often, person
# sets less often, than their size would have it.
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
        model="hrnet18s",
        crop=(128, 128),  # small enough for a CPU: most of the learning happens here
        batch_size=16,
        steps=3600,
        learning_rate=1e-3,  # batch norm without pre-trained weights stands twice the usual rate
        warmup_steps=150,
        final_learning_rate=0.1,  # the second leg goes on from here
        set_weights=SET_WEIGHTS,
    )
