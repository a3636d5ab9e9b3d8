"""Third part of a training on CPUs: 320×320 crops, half of them with a single click."""

from dataclasses import replace

from ..config import ClickSettings, TrainConfig
from .hrnet18s_small_crops import recipe as small_crops


def recipe() -> TrainConfig:
    before = small_crops()
    return replace(
        before,
        data=replace(before.data, batch_size=8, merge_probability=0.1),
        augmentation=replace(before.augmentation, crop=(320, 320), object_crop_probability=0.5),
        clicks=ClickSettings(
            decay=0.7,
            # Every session begins with one click; random counts alone almost never show one.
            single_click_probability=0.5,
        ),
        optimizer=replace(before.optimizer, lr=5e-4),
        schedule=replace(before.schedule, steps=3300, warmup_steps=50, final_fraction=0.25),
        run=replace(
            before.run,
            precision="bf16",  # twice as many crops per second where the CPU has AVX512-BF16
            ema_decay=0.998,  # batches of 8 are noisy
        ),
    )
