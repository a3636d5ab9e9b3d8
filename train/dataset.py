"""Training samples from folders: ROOT/SET/images/NAME.* with ROOT/SET/masks*/NAME.png."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from ritm_edge.errors import TrainingError

from .augment import random_colour, random_crop, random_flip
from .click_sampler import sample_first_clicks
from .config import TrainConfig
from .schedule import run_length

IGNORE = 255
IMAGE_SUFFIXES = {".webp", ".jpg", ".jpeg", ".png", ".bmp"}
CROP_ATTEMPTS = 6
DRAW_ATTEMPTS = 300
LARGEST_OBJECT_SHARE = 0.95

Sample = dict[str, Tensor]


@dataclass(frozen=True)
class Annotation:
    """One photo with one label map: 0 background, 1…254 object ids, 255 ignore."""

    set_name: str
    image: Path
    labels: Path


def find_annotations(root: Path) -> list[Annotation]:
    """All photos with a label map below `root`, in a stable order.

    Raises:
        TrainingError: the folder is missing or holds no pair.
    """
    found: list[Annotation] = []
    for folder in sorted(root.glob("*/masks*")):
        images = {
            path.stem: path
            for path in sorted((folder.parent / "images").glob("*"))
            if path.suffix.lower() in IMAGE_SUFFIXES
        }
        set_name = f"{folder.parent.name}/{folder.name}"
        for labels in sorted(folder.glob("*.png")):
            if labels.stem in images:
                found.append(Annotation(set_name, images[labels.stem], labels))
    if not found:
        raise TrainingError(
            f"no training photo in {root}: it must hold SET/images/NAME.jpg and "
            "SET/masks/NAME.png (8-bit object ids)."
        )
    return found


def draw_probabilities(annotations: list[Annotation], config: TrainConfig) -> NDArray[np.float64]:
    """Chance of each annotation so that sets come in the proportions of `data.set_weights`.

    Raises:
        TrainingError: every set that is there has the weight 0.
    """
    counts: dict[str, int] = {}
    for annotation in annotations:
        counts[annotation.set_name] = counts.get(annotation.set_name, 0) + 1
    share = {name: count / len(annotations) for name, count in counts.items()}
    share.update(
        {name: weight for name, weight in config.data.set_weights.items() if name in counts}
    )
    weights = np.array([share[a.set_name] / counts[a.set_name] for a in annotations])
    if not weights.sum() > 0:
        raise TrainingError(f"every set ({', '.join(counts)}) has the weight 0: raise one.")
    return weights / weights.sum()


class ClickDataset(Dataset[Sample]):
    """Random samples of one run, each decided by (seed, position) alone.

    Since a sample depends on nothing else, a resumed run continues with the same data whatever
    the number of workers.

    Args:
        annotations: as from `find_annotations`.
        config: crop, seed, probabilities.
        start: optimiser steps already done; index 0 is the first sample after them.
    """

    def __init__(self, annotations: list[Annotation], config: TrainConfig, *, start: int) -> None:
        self.annotations = annotations
        self.config = config
        batch_size = config.data.batch_size
        self.start = start * batch_size
        self.length = run_length(config, len(annotations)).steps * batch_size - self.start
        self.cumulative = np.cumsum(draw_probabilities(annotations, config))

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Sample:
        """Image float32 [3, h, w] 0…1, labels float32 [1, h, w] (1, 0, −1 ignore) and clicks
        float32 [2K, 3].

        Raises:
            TrainingError: a photo or label map cannot be read, or photos hold no usable object.
        """
        rng = np.random.default_rng((self.config.run.seed, self.start + index))
        # Bounded: photos without any usable object would otherwise be drawn for ever.
        for _ in range(DRAW_ATTEMPTS):
            chosen = int(np.searchsorted(self.cumulative, rng.random(), side="right"))
            annotation = self.annotations[min(chosen, len(self.annotations) - 1)]
            sample = self._sample(annotation, rng)
            if sample is not None:
                return sample
        raise TrainingError(
            f"{DRAW_ATTEMPTS} label maps in a row, {annotation.labels} the last, had no object of "
            f"{self.config.data.min_object_pixels} pixels in the crop: object ids are 1 to 254, "
            "and 255 means ignore."
        )

    def _sample(self, annotation: Annotation, rng: np.random.Generator) -> Sample | None:
        photo, labels = _read(annotation)
        ids = _objects(labels)
        if not ids:
            return None
        for _ in range(CROP_ATTEMPTS):
            target = int(rng.choice(ids))
            around = None
            if rng.random() < self.config.augmentation.object_crop_probability:
                around = _bounding_box(labels == target)
            crop, crop_labels = random_crop(
                photo, labels, size=self.config.augmentation.crop, around=around, rng=rng
            )
            pixels = int((crop_labels == target).sum())
            large = pixels >= LARGEST_OBJECT_SHARE * crop_labels.size
            if pixels >= self.config.data.min_object_pixels and not large:
                break
        else:
            return None
        crop, crop_labels = random_flip(crop, crop_labels, rng=rng)
        crop = random_colour(crop, rng=rng)
        return make_sample(crop, crop_labels, target, self.config, rng)


def make_sample(
    photo: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    target: int,
    config: TrainConfig,
    rng: np.random.Generator,
) -> Sample:
    """Turn a crop and the id of its object into what one training sample holds.

    Args:
        photo: uint8 [h, w, 3], RGB.
        labels: uint8 [h, w].
        target: id of the object; by chance (`merge_probability`) another object joins it.
        config: probabilities and number of click slots.
        rng: source of randomness.

    Returns:
        As `ClickDataset.__getitem__`.
    """
    parts = [labels == target]
    if rng.random() < config.data.merge_probability:
        others = [i for i in _objects(labels, config.data.min_object_pixels) if i != target]
        if others:
            parts.append(labels == int(rng.choice(others)))
    union = np.logical_or.reduce(parts)
    ignored = labels == IGNORE
    foreign = (labels != 0) & ~ignored & ~union
    clicks = sample_first_clicks(parts, foreign, config.clicks, rng=rng, ignored=ignored)
    truth = union.astype(np.float32)
    truth[ignored] = -1.0
    return {
        "image": torch.from_numpy(photo.transpose(2, 0, 1).astype(np.float32) / 255.0),
        "labels": torch.from_numpy(truth[None]),
        "clicks": torch.from_numpy(clicks),
    }


def _read(annotation: Annotation) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    photo = cv2.cvtColor(_decode(annotation.image, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    labels = _decode(annotation.labels, cv2.IMREAD_UNCHANGED)
    if labels.ndim != 2 or labels.dtype != np.uint8 or labels.shape != photo.shape[:2]:
        raise TrainingError(
            f"{annotation.labels} is not an 8-bit grey map of its photo's size "
            f"{photo.shape[0]}x{photo.shape[1]}: fix or remove it."
        )
    return np.asarray(photo, np.uint8), labels


def _decode(path: Path, mode: int) -> NDArray[Any]:
    try:
        array = cv2.imread(str(path), mode)
    except cv2.error:  # too many pixels
        array = None
    if array is None:
        raise TrainingError(f"{path} cannot be decoded: remove or replace it.")
    return array


def _objects(labels: NDArray[np.uint8], min_pixels: int = 1) -> list[int]:
    counts = np.bincount(labels.ravel(), minlength=IGNORE + 1)
    return [i for i in range(1, IGNORE) if counts[i] >= max(min_pixels, 1)]


def _bounding_box(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1
