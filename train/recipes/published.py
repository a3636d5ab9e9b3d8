"""The paper's runs as variations of one another (sections 4 and 5).

The paper's values are the recipes; what the official code does otherwise is beside them. Known
differences that no recipe offers: the official code draws SBD's photos with weights from a file of
scores, and does not use its validation loss.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from ritm_edge.model.ritm import Encoding, InputScheme

from ..config import LossSettings, ModelSettings, TrainConfig
from .recipe import Recipe

# By their part of a recipe's name: that of the reader, the title and the epochs of the paper.
DATA = {
    "ade20k": ("ade20k", "ADE20K", 180),
    "coco": ("coco", "COCO", 40),
    "cocolvis": ("coco-lvis", "COCO+LVIS", 55),
    "lvis": ("lvis", "LVIS", 55),
    "openimages": ("openimages", "OpenImages", 5),
    "sbd": ("sbd", "SBD", 120),
    "vocsbd": ("pascal-voc-sbd", "Pascal VOC + SBD", 120),
}
BASELINE_MODELS = {
    "hrnet18": ("hrnet18", "HRNet-18"),
    "resnet34": ("deeplab_r34", "DeepLabV3+ on ResNet-34"),
}
LOSSES: dict[Literal["bce", "focal", "nfl", "soft_iou"], str] = {
    "bce": "binary cross-entropy",
    "focal": "focal loss",
    "nfl": "normalised focal loss",
    "soft_iou": "soft IoU",
}
# Table 1, by their part of a recipe's name: input scheme, encoding and radius. That of distance
# maps, where they end, is the official code's; the paper does not give it.
INPUTS: dict[str, tuple[InputScheme, Encoding, int]] = {
    "dmf-distance": ("dmf", "distance", 260),
    "conv1e-distance": ("conv1e", "distance", 260),
    "conv1s-distance": ("conv1s", "distance", 260),
    "conv1s-disk3": ("conv1s", "disk", 3),
    "conv1s-disk5": ("conv1s", "disk", 5),
}
INPUT_TITLES = {"dmf": "DMF", "conv1e": "Conv1E", "conv1s": "Conv1S"}
# The official code counts most epochs in random draws: how many (0 is a pass over all photos),
# samples of a batch, epochs, and those after which the rate drops.
OFFICIAL = {
    "hrnet18-cocolvis-baseline": (30_000, 28, 230, (200, 220)),
    "hrnet18-cocolvis-iterm": (30_000, 28, 230, (200, 220)),
    "hrnet18-openimages-baseline": (30_000, 28, 140, (120, 135)),
    "hrnet18-sbd-baseline": (0, 32, 120, (100, 115)),
    "hrnet18-sbd-iterm": (0, 32, 220, (200, 215)),
    "hrnet18s-cocolvis-iterm": (30_000, 32, 230, (200, 220)),
    "hrnet32-cocolvis-iterm": (30_000, 32, 230, (200, 220)),
    "resnet34-cocolvis-baseline": (30_000, 28, 160, (140, 155)),
    "resnet34-sbd-baseline": (0, 32, 120, (100, 115)),
}
# The rate drops at epochs 50 and 53 of 55; other lengths keep these shares.
DROPS = (50 / 55, 53 / 55)


def iterative(model: str, data: str) -> TrainConfig:
    """ITER-M: up to three simulated corrections, the previous mask as input."""
    dataset, _, epochs = DATA[data]
    config = TrainConfig()
    config = replace(
        config,
        model=ModelSettings(name=model),
        data=replace(config.data, datasets=(dataset,)),
        loss=replace(config.loss, aux_weight=0.0 if model.startswith("deeplab") else 0.4),
    )
    config = _with_length(config, epochs, tuple(round(epochs * share, 3) for share in DROPS))
    return _with_small_objects(config) if data in ("sbd", "vocsbd") else config


def _with_iterations(config: TrainConfig, count: int, *, use_prev_mask: bool) -> TrainConfig:
    """At most `count` corrections; the model has a mask input only where it is used."""
    return replace(
        config,
        model=replace(config.model, prev_mask=use_prev_mask),
        iterative=replace(config.iterative, max_iterations=count, use_prev_mask=use_prev_mask),
    )


def _with_length(config: TrainConfig, epochs: int, drops: tuple[float, ...]) -> TrainConfig:
    return replace(config, schedule=replace(config.schedule, epochs=epochs, milestones=drops))


def _with_small_objects(config: TrainConfig, empty_crops: float = 0.0) -> TrainConfig:
    """Objects of at least 80 pixels, and hardly a crop without one."""
    return replace(
        config,
        data=replace(config.data, min_object_pixels=80),
        augmentation=replace(config.augmentation, empty_crop_probability=empty_crops),
    )


def _with_turns(config: TrainConfig) -> TrainConfig:
    """The stronger augmentation of the iterative SBD run: all mirrorings, turns and a warp."""
    augmentation = replace(
        config.augmentation,
        scale=(0.75, 1.25),
        # Each as often as in "none half the time, otherwise one of the three mirrorings".
        horizontal_flip=1 / 3,
        vertical_flip=1 / 3,
        quarter_turns=True,
        shift=0.03,
        rotate=3.0,
    )
    return replace(config, augmentation=augmentation)


def _paper() -> Iterator[tuple[str, str, TrainConfig]]:
    """Name, summary and settings of every run."""
    for short, (model, title) in BASELINE_MODELS.items():
        for data, (_, data_title, _) in DATA.items():
            config = _with_iterations(iterative(model, data), 0, use_prev_mask=False)
            summary = f"{title} on {data_title}, without iterative training."
            yield f"{short}-{data}-baseline", summary, config
    for model in ("hrnet18", "hrnet18s", "hrnet32"):
        summary = f"HRNet-{model[5:]} ITER-M on COCO+LVIS, one of the paper's main models."
        yield f"{model}-cocolvis-iterm", summary, iterative(model, "cocolvis")
    config = _with_turns(_with_small_objects(iterative("hrnet18", "sbd"), empty_crops=0.01))
    yield "hrnet18-sbd-iterm", "HRNet-18 ITER-M on SBD.", config
    for short, (model, title) in BASELINE_MODELS.items():
        for inputs, (scheme, encoding, radius) in INPUTS.items():
            config = _with_iterations(iterative(model, "sbd"), 0, use_prev_mask=False)
            changed = replace(
                config.model, input_scheme=scheme, encoding=encoding, radius=float(radius)
            )
            summary = f"Table 1: {title} on SBD, {INPUT_TITLES[scheme]}, {encoding} maps"
            summary += f" of radius {radius}." if encoding == "disk" else "."
            yield f"{short}-{inputs}", summary, replace(config, model=changed)
    for kind, title in LOSSES.items():
        config = _with_iterations(iterative("hrnet18", "cocolvis"), 0, use_prev_mask=False)
        config = replace(config, loss=LossSettings(kind=kind))
        summary = f"Table 2: {title}; HRNet-18 on COCO+LVIS, without iterative training."
        yield f"ablation-loss-{kind.replace('_', '-')}", summary, config
    for count, mark in ((3, "nomask"), *((count, "mask") for count in range(1, 7))):
        config = iterative("hrnet18", "cocolvis")
        config = _with_iterations(config, count, use_prev_mask=mark == "mask")
        corrections = "one correction" if count == 1 else f"up to {count} corrections"
        summary = f"Table 6: {corrections} {'with' if mark == 'mask' else 'without'} the previous "
        summary += "mask; HRNet-18, COCO+LVIS."
        yield f"ablation-iterations-{count}-{mark}", summary, config


def _official(name: str, config: TrainConfig) -> TrainConfig | None:
    if name not in OFFICIAL:
        return None
    samples, batch, epochs, drops = OFFICIAL[name]
    data = replace(config.data, epoch_samples=samples, batch_size=batch)
    return _with_length(replace(config, data=data), epochs, drops)


RECIPES = {
    name: Recipe(summary, config, _official(name, config)) for name, summary, config in _paper()
}
