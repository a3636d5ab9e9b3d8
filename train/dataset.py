"""Training samples: a photo's crop, the mask of one target in it, and first clicks."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, default_collate

from ritm_edge.errors import InputFileError, TrainingError
from ritm_edge.session import zoom_in

from .augment import published_crop, random_colour, random_flips
from .broken import Problem
from .click_sampler import sample_first_clicks
from .config import TrainConfig
from .datasets import Entry
from .object_crops import Box, random_crop
from .order import DrawOrder
from .photo_cache import Loaded, load_scene
from .scene import Layers, Mask, Photo, Scene, roots, without
from .schedule import run_length
from .windows import cut_window, draw_window

CROP_ATTEMPTS = 6
PUBLISHED_CROP_ATTEMPTS = 1000
DRAW_ATTEMPTS = 300
LARGEST_OBJECT_SHARE = 0.95

Sample = dict[str, Tensor]


class ClickDataset(Dataset[Sample]):
    """Random samples of one run, each decided by (seed, position) alone, so that a resumed run
    continues with the same data whatever the number of workers. `entries` are from `find_entries`,
    `cached` the same, loaded (None loads each where it is drawn); index 0 is the first sample after
    `start` optimiser steps. `join` makes a batch of samples."""

    join = staticmethod(default_collate)

    def __init__(
        self,
        entries: list[Entry],
        config: TrainConfig,
        *,
        start: int,
        cached: Sequence[Loaded] | None = None,
    ) -> None:
        self.entries = entries
        self.config = config
        self.cached = cached
        length = run_length(config, len(entries))
        self.start = start * config.data.batch_size
        self.length = length.steps * config.data.batch_size - self.start
        self.order = DrawOrder(entries, config, length)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Sample:
        """Image float32 [3, h, w] 0…1, labels float32 [1, h, w] (1, 0, −1 ignore) and clicks
        float32 [2K, 3]; errors as `draw`."""
        return self.draw(index)[0]

    def draw(self, index: int) -> tuple[Sample, list[Problem]]:
        """The sample at `index`, and what could not be read on the way to it. Raises TrainingError:
        many photos in a row that are broken or hold no usable object."""
        position = self.start + index
        rng = np.random.default_rng((self.config.run.seed, position))
        problems: list[Problem] = []
        place = self.order.at(position, rng)
        # Bounded: photos without any usable object would otherwise be drawn for ever.
        for _ in range(DRAW_ATTEMPTS):
            entry = self.entries[place]
            scene, damage = self.cached[place] if self.cached else load_scene(entry, rng)
            if isinstance(scene, InputFileError):
                problems.append(Problem(entry.image, str(scene)))
            else:
                problems += [Problem(entry.image, text) for text in scene.problems]
                problems += [Problem(entry.image, text, used=True) for text in damage]
                sample = self._sample(scene, place, rng)
                if sample is not None:
                    return sample, problems
            place = self.order.draw(rng)
        fatal = [problem for problem in problems if not problem.used]
        if fatal:
            raise TrainingError(fatal[-1].message)
        raise TrainingError(
            f"{DRAW_ATTEMPTS} photos in a row, {entry.image} the last, had no object of "
            f"{self.config.data.min_object_pixels} pixels in the crop: lower "
            "data.min_object_pixels, or check the masks (in label maps ids are 1 to 254, and 255 "
            "means ignore)."
        )

    def _sample(self, scene: Scene, place: int, rng: np.random.Generator) -> Sample | None:
        scene = choose_stuff(scene, self.config.data.stuff_probability, rng=rng)
        if self.config.augmentation.kind == "published":
            return self._finish(self._published_crop(scene, rng), None, place, rng)
        found = self._object_crop(scene, rng)
        return None if found is None else self._finish(*found, place, rng)

    def _finish(self, crop: Scene, target: int | None, _: int, rng: np.random.Generator) -> Sample:
        crop = replace(crop, photo=random_colour(crop.photo, self.config.augmentation, rng=rng))
        return make_sample(crop, target, self.config, rng)

    def _published_crop(self, scene: Scene, rng: np.random.Generator) -> Scene:
        maps = _maps(scene)
        for _ in range(PUBLISHED_CROP_ATTEMPTS):
            crop = self._cut(scene, maps, None, rng)
            if crop.layers.any() or rng.random() < self.config.augmentation.empty_crop_probability:
                break
        return crop

    def _object_crop(self, scene: Scene, rng: np.random.Generator) -> tuple[Scene, int] | None:
        """A crop with the index of its target; None where no attempt shows enough of one."""
        candidates = roots(scene)
        if not candidates:
            return None
        settings = self.config.augmentation
        maps = _maps(scene)
        chances = self._chances(scene, candidates)
        for _ in range(CROP_ATTEMPTS):
            target = int(rng.choice(candidates, p=chances))
            crop = self._cut(scene, maps, target, rng)
            pixels = int(crop.mask(target).sum())
            large = pixels >= LARGEST_OBJECT_SHARE * crop.photo.shape[0] * crop.photo.shape[1]
            if pixels >= self.config.data.min_object_pixels and not large:
                break
        else:
            return None
        if settings.kind == "object_crops":
            photo, cropped = random_flips(crop.photo, _maps(crop), settings, rng=rng)
            crop = with_maps(scene, photo, cropped)
        return crop, target

    def _chances(self, scene: Scene, candidates: list[int]) -> NDArray[np.float64] | None:
        """Of each candidate to be the target; None where they are equally likely."""
        power = self.config.data.area_power
        if not power:
            return None
        areas = scene.areas()
        weights = np.array([float(areas[index]) for index in candidates]) ** power
        return weights / weights.sum() if weights.any() else None

    def _cut(
        self, scene: Scene, maps: Layers, target: int | None, rng: np.random.Generator
    ) -> Scene:
        """A random window of all maps, around the object `target` or, as published, anywhere."""
        settings = self.config.augmentation
        if target is None:
            return with_maps(scene, *published_crop(scene.photo, maps, settings, rng=rng))
        if settings.kind == "windows":
            box = bounding_box(scene.mask(target))
            matrix = draw_window(box, (maps.shape[0], maps.shape[1]), settings, rng=rng)
            return with_maps(scene, *cut_window(scene.photo, maps, matrix, settings.crop))
        around = None
        if rng.random() < settings.object_crop_probability:
            around = bounding_box(scene.mask(target))
        cut = random_crop(scene.photo, maps, size=settings.crop, around=around, rng=rng)
        return with_maps(scene, *cut)


def choose_stuff(scene: Scene, probability: float, *, rng: np.random.Generator) -> Scene:
    """Keep the stuff regions as objects by chance, or turn them into background."""
    stuff = [index for index, item in enumerate(scene.objects) if item.stuff]
    if not stuff or rng.random() < probability:
        return scene
    return without(scene, stuff, erase=True)


def make_sample(
    scene: Scene, target: int | None, config: TrainConfig, rng: np.random.Generator
) -> Sample:
    """Turn a crop into what one training sample holds, as `ClickDataset.__getitem__` gives it.
    Objects smaller than `min_object_pixels` cannot be targets; a `target` of None chooses among the
    roots, and where there is none the target is empty. By chance (`merge_probability`) another root
    joins it."""
    scene, parts, foreign = choose_target(scene, target, config, rng)
    union: Mask = np.logical_or.reduce(parts) if parts else np.zeros_like(foreign)
    clicks = sample_first_clicks(parts, foreign, config.clicks, rng=rng, ignored=scene.ignored)
    return {
        "image": torch.from_numpy(scene.photo.transpose(2, 0, 1).astype(np.float32) / 255.0),
        "labels": torch.from_numpy(as_labels(union, scene.ignored)),
        "clicks": torch.from_numpy(clicks),
    }


def as_labels(target: Mask, ignored: Mask | None) -> NDArray[np.float32]:
    """Float32 [1, H, W]: 1 object, 0 background, −1 ignored."""
    truth = target.astype(np.float32)
    if ignored is not None:
        truth[ignored & ~target] = -1.0
    return truth[None]


def choose_target(
    scene: Scene, target: int | None, config: TrainConfig, rng: np.random.Generator
) -> tuple[Scene, list[Mask], Mask]:
    """The crop without objects that are too small, the one or two parts of its target, and where
    other objects are; see `make_sample`."""
    label = None if target is None else scene.objects[target]
    small = [i for i, area in enumerate(scene.areas()) if area < config.data.min_object_pixels]
    scene = without(scene, [i for i in small if i != target])
    candidates = roots(scene)
    chosen: list[int] = []
    if label is not None:
        places = [(item.layer, item.label) for item in scene.objects]
        chosen = [places.index((label.layer, label.label))]
    elif candidates:
        chosen = [int(rng.choice(candidates))]
    if chosen and rng.random() < config.data.merge_probability:
        others = [index for index in candidates if index not in chosen]
        if others:
            chosen.append(int(rng.choice(others)))
    parts = [scene.mask(index) for index in chosen]
    union: Mask = np.logical_or.reduce(parts) if parts else np.zeros(scene.photo.shape[:2], bool)
    foreign = np.zeros_like(union)
    if len(scene.objects) > len(chosen):
        foreign = scene.layers.any(axis=2) & ~union
    if scene.ignored is not None:
        foreign &= ~scene.ignored
    return scene, parts, foreign


def _maps(scene: Scene) -> Layers:
    """All layers and, as the last channel, the ignored pixels."""
    ignored = np.zeros(scene.photo.shape[:2], bool) if scene.ignored is None else scene.ignored
    return np.dstack((scene.layers, ignored.astype(np.uint8)))


def with_maps(scene: Scene, photo: Photo, maps: Layers) -> Scene:
    """The scene with the pixels of its crop."""
    ignored = maps[..., -1] > 0
    needed = scene.ignored is not None or ignored.any()
    return replace(scene, photo=photo, layers=maps[..., :-1], ignored=ignored if needed else None)


def bounding_box(mask: Mask) -> Box:
    box = zoom_in.bounding_box(mask)
    assert box is not None  # there is a pixel
    return box.top, box.left, box.bottom + 1, box.right + 1
