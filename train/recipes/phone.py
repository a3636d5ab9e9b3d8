"""What the recipes of the embedded weights share: data whose weights may be shipped, first clicks
as the simulated user of the evaluation makes them, windows from whole photos to single objects."""

from ..config import (
    AugmentationSettings,
    ClickSettings,
    DataSettings,
    IterativeSettings,
    ModelSettings,
    OptimizerSettings,
    RunSettings,
    ScheduleSettings,
    TrainConfig,
)
from .recipe import Recipe

# Shares of generic sets, three quarters of all crops, and of narrow ones.
_GENERIC = {
    "coco_mini/masks": 0.38,
    "coco_person1/masks": 0.13,
    "bsds/masks_coarse": 0.12,
    "ccp/masks": 0.11,
    "voc2007_sample/masks": 0.08,
    "human290/masks": 0.06,
    "ccp/masks_parts": 0.05,
    "msrc_cow/masks": 0.03,
    "bsds/masks_fine": 0.02,
}
_NARROW = {
    "wild_animals7/masks": 0.46,
    "coco_tiny/masks": 0.21,
    "facade/masks": 0.10,
    "carpanels/masks": 0.10,
    "pellets/masks": 0.05,
    "mushrooms/masks": 0.04,
    "treepheno/masks": 0.04,
}
# Their licences do not allow the use of weights trained on them, or do not mention it. A set that
# is only left out of `set_weights` would still be drawn.
NEVER_DRAWN = ("camvid/masks", "carparts/masks", "weizmann_horse/masks", "coins/masks")


def _shares() -> dict[str, float]:
    shares = dict.fromkeys(NEVER_DRAWN, 0.0)
    for sets, whole in ((_GENERIC, 0.75), (_NARROW, 0.25)):
        total = sum(sets.values())
        shares |= {name: whole * share / total for name, share in sets.items()}
    return shares


def _phone(model: str, *, lr: float, backbone: float, batch_size: int) -> TrainConfig:
    """The settings for one network; `backbone` is the rate of what comes with ImageNet weights,
    relative to `lr`, the peak rate of AdamW."""
    return TrainConfig(
        model=ModelSettings(name=model),
        data=DataSettings(
            batch_size=batch_size, set_weights=_shares(), area_power=0.5, min_object_pixels=200
        ),
        augmentation=AugmentationSettings(
            kind="windows", crop=(320, 320), rotate=12.0, warp_probability=0.35
        ),
        clicks=ClickSettings(
            decay=0.72,
            single_click_probability=0.55,
            positive_places=(0.3, 0.45, 0.25),
            negative_places=(0.3, 0.35, 0.35),
            ring_width=0.2,
        ),
        iterative=IterativeSettings(
            damaged_start_probability=0.12, deepest_probability=0.5, skip_ignored=True
        ),
        optimizer=OptimizerSettings(
            kind="adamw",
            lr=lr,
            betas=(0.9, 0.98),
            backbone_lr_multiplier=backbone,
            weight_decay=1e-4,
        ),
        schedule=ScheduleSettings(steps=2000, kind="cosine", warmup_steps=150, final_fraction=0.01),
        run=RunSettings(grad_clip=2.0, ema_decay=0.9985, precision="bf16"),
    )


RECIPES = {
    # The embedded weights saw crops of 256, 320 and 400 pixels, in batches of 160, 112 and 80; each
    # size starts from the weights of the one before (docs/training.md).
    "lite0-phone": Recipe(
        "EfficientNet-Lite0 for phones, from ImageNet weights: large batches of windows of all "
        "sizes.",
        _phone("lite0", lr=2e-3, backbone=0.3, batch_size=112),
    ),
    # All parameters have the full rate: the embedded weights did not start from ImageNet.
    "hrnet18s-phone": Recipe(
        "HRNet-18s on the data and windows of the phone recipe, in batches half as large.",
        _phone("hrnet18s", lr=8e-4, backbone=1.0, batch_size=56),
    ),
}
