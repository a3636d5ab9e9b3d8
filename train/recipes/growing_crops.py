"""The phases in which HRNet-18s was first trained, from scratch on a CPU, each from the weights of
the one before (--init).

Crops grow from phase to phase: most of the learning happens on small ones, which are cheap, but the
first click of a session sees the whole photo, and disks look smaller in the crops of zoom-in. What
one click means is ambiguous (a sleeve, the coat, the person), and the published zoom-in shows the
network little more than its last answer, so that an answer too small costs several clicks: hence
whole objects at the end. And corrections of damaged masks, since the network had only ever seen its
own answers as previous masks: a click on a mask from elsewhere could make it forget a part of that.
"""

from dataclasses import replace

from ..config import (
    AugmentationSettings,
    ClickSettings,
    DataSettings,
    ModelSettings,
    OptimizerSettings,
    ScheduleSettings,
    TrainConfig,
)
from .recipe import Recipe

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
WEIGHTS_OF_WHOLE_OBJECTS = {
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

_128 = TrainConfig(
    model=ModelSettings(name="hrnet18s"),
    data=DataSettings(
        datasets=("folder",), batch_size=16, min_object_pixels=80, set_weights=SET_WEIGHTS
    ),
    augmentation=AugmentationSettings(kind="object_crops", crop=(128, 128)),
    optimizer=OptimizerSettings(
        lr=1e-3,  # batch norm without pre-trained weights stands twice the usual rate
        backbone_lr_multiplier=1.0,  # nothing is pre-trained
    ),
    schedule=ScheduleSettings(steps=3600, kind="cosine", warmup_steps=150, final_fraction=0.1),
)
_256 = replace(
    _128,
    data=replace(_128.data, batch_size=6),
    augmentation=replace(_128.augmentation, crop=(256, 256), object_crop_probability=0.6),
    optimizer=replace(_128.optimizer, lr=5e-4),
    schedule=replace(_128.schedule, steps=1000, warmup_steps=10, final_fraction=0.02),
)
_320 = replace(
    _128,
    data=replace(_128.data, batch_size=8, merge_probability=0.1),
    augmentation=replace(_128.augmentation, crop=(320, 320), object_crop_probability=0.5),
    # Every session begins with one click; random counts alone almost never show one.
    clicks=ClickSettings(decay=0.7, single_click_probability=0.5),
    optimizer=replace(_128.optimizer, lr=5e-4),
    schedule=replace(_128.schedule, steps=3300, warmup_steps=50, final_fraction=0.25),
    run=replace(
        _128.run,
        precision="bf16",  # twice as many crops per second where the CPU has AVX512-BF16
        ema_decay=0.998,  # batches of 8 are noisy
    ),
)
_400 = replace(
    _320,
    data=replace(_320.data, batch_size=6),
    augmentation=replace(_320.augmentation, crop=(400, 400)),
    optimizer=replace(_320.optimizer, lr=3e-4),
    schedule=replace(_320.schedule, steps=950, final_fraction=0.0),
)
_WHOLE = replace(
    _400,
    data=replace(_400.data, set_weights=WEIGHTS_OF_WHOLE_OBJECTS, min_object_pixels=1000),
    augmentation=replace(_400.augmentation, object_crop_probability=0.4),
    optimizer=replace(_400.optimizer, lr=4e-4),
)
_512 = replace(
    _WHOLE,
    data=replace(_WHOLE.data, batch_size=4),
    augmentation=replace(_WHOLE.augmentation, crop=(512, 512), object_crop_probability=0.3),
    iterative=replace(_WHOLE.iterative, damaged_start_probability=0.15),
    optimizer=replace(_WHOLE.optimizer, lr=3e-4),
    schedule=replace(_WHOLE.schedule, steps=700),
)

RECIPES = {
    "hrnet18s-small-crops": Recipe("First phase: HRNet-18s from scratch on 128×128 crops.", _128),
    "hrnet18s-larger-crops": Recipe("Second phase: 256×256 crops.", _256),
    "hrnet18s-320-crops": Recipe("Third phase: 320×320 crops, half of them with one click.", _320),
    "hrnet18s-400-crops": Recipe("Fourth phase: the 400 pixels of zoom-in, down to rate 0.", _400),
    "hrnet18s-whole-objects": Recipe("Fifth phase: fewer parts and no tiny objects.", _WHOLE),
    "hrnet18s-512-crops": Recipe(
        "Last phase: the size of whole photos, and corrections of damaged masks.", _512
    ),
}
