"""The paper's runs as variations of one another (sections 4 and 5).

The paper's values are the recipes; what the official code does otherwise is `as_implemented`.
Known differences that no recipe offers: the official code draws SBD's photos with weights from a
file of scores, and does not use its validation loss.
"""

from dataclasses import replace

from ..config import ModelSettings, TrainConfig

EPOCHS = {
    "ade20k": 180,
    "openimages": 5,
    "sbd": 120,
    "pascal-voc-sbd": 120,
    "lvis": 55,
    "coco": 40,
    "coco-lvis": 55,
}
# The rate drops at epochs 50 and 53 of 55; other lengths keep these shares.
DROPS = (50 / 55, 53 / 55)
SMALL_PHOTO_SETS = ("sbd", "pascal-voc-sbd")


def iterative(model: str, dataset: str) -> TrainConfig:
    """ITER-M: up to three simulated corrections, the previous mask as input."""
    config = TrainConfig()
    config = replace(
        config,
        model=ModelSettings(name=model),
        data=replace(config.data, datasets=(dataset,)),
        loss=replace(config.loss, aux_weight=0.0 if model.startswith("deeplab") else 0.4),
    )
    config = with_length(config, EPOCHS[dataset])
    return with_small_objects(config) if dataset in SMALL_PHOTO_SETS else config


def baseline(model: str, dataset: str) -> TrainConfig:
    """Without simulated corrections and without the previous mask."""
    return with_iterations(iterative(model, dataset), 0, use_prev_mask=False)


def with_iterations(config: TrainConfig, count: int, *, use_prev_mask: bool) -> TrainConfig:
    """At most `count` corrections; the model has a mask input only where it is used."""
    return replace(
        config,
        model=replace(config.model, prev_mask=use_prev_mask),
        iterative=replace(config.iterative, max_iterations=count, use_prev_mask=use_prev_mask),
    )


def with_length(
    config: TrainConfig, epochs: int, drops: tuple[float, ...] | None = None
) -> TrainConfig:
    """A number of epochs; the rate drops at `drops`, or at the paper's shares of them."""
    milestones = drops or tuple(round(epochs * share, 3) for share in DROPS)
    schedule = replace(config.schedule, epochs=epochs, milestones=milestones)
    return replace(config, schedule=schedule)


def with_small_objects(config: TrainConfig, empty_crops: float = 0.0) -> TrainConfig:
    """Objects of at least 80 pixels, and hardly a crop without one."""
    return replace(
        config,
        data=replace(config.data, min_object_pixels=80),
        augmentation=replace(config.augmentation, empty_crop_probability=empty_crops),
    )


def with_turns(config: TrainConfig) -> TrainConfig:
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


def with_draws(
    config: TrainConfig, samples: int, epochs: int, drops: tuple[float, ...], *, batch: int
) -> TrainConfig:
    """Epochs of random draws with replacement, as the official code counts them."""
    data = replace(config.data, epoch_samples=samples, batch_size=batch)
    return with_length(replace(config, data=data), epochs, drops)
