"""Small generated photos with label maps, in the layout of the training data."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ritm_edge.train.config import TrainConfig
from ritm_edge.train.settings import as_dict

SIZE = (72, 96)


def shapes(seed: int, size: tuple[int, int] = SIZE) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A photo uint8 [H, W, 3] (RGB) with a disk (id 1) and a box (id 2), and its label map.

    Each id has a colour of its own (`COLOURS`) with a little noise, so that a crop shows whether
    photo and labels still match.
    """
    rng = np.random.default_rng(seed)
    height, width = size
    labels: NDArray[np.uint8] = np.zeros(size, np.uint8)
    centre = (int(width * rng.uniform(0.25, 0.35)), int(height * rng.uniform(0.4, 0.6)))
    cv2.circle(labels, centre, int(height * rng.uniform(0.15, 0.25)), (1,), -1)
    left, top = int(width * rng.uniform(0.6, 0.7)), int(height * rng.uniform(0.2, 0.4))
    cv2.rectangle(labels, (left, top), (left + width // 4, top + height // 3), 2, -1)
    noise = rng.integers(-12, 13, (*size, 3))
    return np.clip(COLOURS[labels] + noise, 0, 255).astype(np.uint8), labels


COLOURS = np.array([(40, 60, 200), (210, 70, 40), (60, 200, 70)])


def write_photos(root: Path, count: int = 4, *, set_name: str = "shapes") -> Path:
    """Write `root`/`set_name`/images/N.png and masks/N.png; returns `root`."""
    for folder in ("images", "masks"):
        (root / set_name / folder).mkdir(parents=True, exist_ok=True)
    for index in range(count):
        photo, labels = shapes(index)
        cv2.imwrite(str(root / set_name / "images" / f"{index}.png"), photo[..., ::-1])
        cv2.imwrite(str(root / set_name / "masks" / f"{index}.png"), labels)
    return root


SMALL: dict[str, object] = {
    "crop": (32, 32),
    "augmentation.kind": "object_crops",
    "batch_size": 2,
    "steps": 4,
    "schedule.kind": "cosine",
    "warmup_steps": 2,
    "lr": 1e-3,
    "backbone_lr_multiplier": 1.0,
    "min_object_pixels": 20,
}


def small_config(**changes: object) -> TrainConfig:
    """Settings of a run that takes seconds.

    A change is named "section.key", or by its key alone where only one section has it.
    """
    values = as_dict(TrainConfig())
    for name, value in {**SMALL, **changes}.items():
        section, _, key = name.rpartition(".")
        sections = [section] if section else [s for s in values if key in values[s]]
        assert len(sections) == 1, f"{name} is in {sections}"
        values[sections[0]][key] = value
    return TrainConfig(**values)
