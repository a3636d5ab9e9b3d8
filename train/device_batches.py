"""Batches made on the training device: what loading processes choose, and what becomes of it.

A window depends on the labels in it, so that a loading process cuts these, nearest neighbours of
small integers; the pixels of the photo, its colours and all clicks are left to the device.
"""

from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from .augment import draw_colour, draw_published
from .config import TrainConfig
from .dataset import ClickDataset, Sample, as_labels, bounding_box, choose_target, with_maps
from .datasets import Entry
from .device_clicks import draw_places, first_clicks
from .iterative import start_from_damaged_masks
from .object_crops import Box
from .photo_cache import PhotoCache
from .scene import Layers, Photo, Scene
from .windows import Matrix, cut_maps, draw_window

# Bits of a pixel's code. A target has two parts at most.
FIRST, SECOND, OTHER, IGNORED, INSIDE = (1 << bit for bit in range(5))
LARGEST_CANVAS = 1 << 30  # bytes, of photos that are sampled at once


def on_device(config: TrainConfig, device: torch.device) -> bool:
    """Whether the training device makes the batches (`run.batches`)."""
    able = device.type == "cuda" and config.augmentation.kind in ("published", "windows")
    return config.run.batches == "device" or (config.run.batches == "auto" and able)


def make_dataset(
    entries: list[Entry],
    config: TrainConfig,
    device: torch.device,
    cache: PhotoCache,
    *,
    start: int,
) -> ClickDataset:
    """What `Trainer.step` is given on `device`; see `ClickDataset`."""
    kind = PlanDataset if on_device(config, device) else ClickDataset
    samples = kind(entries, config, start=start, cached=cache.scenes)
    if isinstance(samples, PlanDataset):
        samples.on_device = bool(cache.photos)
    return samples


@dataclass(frozen=True)
class _Crop(Scene):
    """A crop's labels, the photo it is from, and where it lies there."""

    source: Photo = field(kw_only=True)
    matrix: NDArray[np.float64] = field(kw_only=True)
    frame: Box = field(kw_only=True)


class PlanDataset(ClickDataset):
    """The windows, targets and colours of `ClickDataset`, from the same seeds, for `BatchMaker`."""

    on_device = False  # whether the photos are there, and need not travel

    def _cut(
        self, scene: Scene, maps: Layers, target: int | None, rng: np.random.Generator
    ) -> Scene:
        settings = self.config.augmentation
        size, frame = (maps.shape[0], maps.shape[1]), (0, 0, *settings.crop)
        if target is None:
            matrix, frame = draw_published(size, settings, rng=rng)
        else:
            matrix = draw_window(bounding_box(scene.mask(target)), size, settings, rng=rng)
        cut = cut_maps(maps, matrix, settings.crop, outside=int(target is not None))
        _clear_outside(cut, frame)
        crop = with_maps(scene, np.broadcast_to(np.uint8(0), (*settings.crop, 3)), cut)
        return _Crop(**vars(crop), source=scene.photo, matrix=matrix, frame=frame)

    def _finish(
        self, crop: Scene, target: int | None, place: int, rng: np.random.Generator
    ) -> Sample:
        config, size = self.config, self.config.augmentation.crop
        colour = draw_colour(config.augmentation, rng=rng)
        crop, parts, others = choose_target(crop, target, config, rng)
        assert isinstance(crop, _Crop)
        photo, matrix = crop.source, crop.matrix
        parts = [part for part in parts if part.any()]
        codes = cut_maps(np.full((*photo.shape[:2], 1), INSIDE, np.uint8), matrix, size, outside=0)[
            ..., 0
        ]
        _clear_outside(codes, crop.frame)
        marks = [(OTHER, others), *zip((FIRST, SECOND), parts, strict=False)]
        if crop.ignored is not None:
            marks.append((IGNORED, crop.ignored))
        for bit, place_of in marks:
            codes |= np.uint8(bit) * place_of.view(np.uint8)
        top, left, bottom, right = region = _region(matrix, photo.shape, size)
        matrix = matrix - np.array([[0, 0, left], [0, 0, top]])
        pixels: NDArray[Any] = photo[top:bottom, left:right]
        shrink = int(np.linalg.norm(matrix[:, :2], axis=0).min() / 2)
        if self.on_device:
            pixels = np.zeros((0, 0, 3), np.uint8)
        elif shrink > 1:  # a photo that is shown small need not be copied in full size
            width, height = max((right - left) // shrink, 1), max((bottom - top) // shrink, 1)
            pixels = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
            ratio = np.array([[width / (right - left)], [height / (bottom - top)]])
            matrix = matrix * ratio + np.array([[0, 0, 0.5], [0, 0, 0.5]]) * (ratio - 1)
        places, eroded = draw_places(len(parts), config.clicks, rng)
        plan = {
            "photo": np.array((place, *region)),
            "pixels": np.ascontiguousarray(pixels.transpose(2, 0, 1)),
            "matrix": matrix,
            "colour": colour,
            "codes": codes,
            "places": places,
            "eroded": eroded,
            "chances": rng.random(len(places)),
        }
        sample = {name: torch.from_numpy(value) for name, value in plan.items()}
        chance = config.iterative.damaged_start_probability
        if chance:
            target_mask = np.logical_or.reduce(parts) if parts else np.zeros(size, bool)
            labels = torch.from_numpy(as_labels(target_mask, crop.ignored))[None]
            clicks = torch.full((1, len(places), 3), -1.0)
            clicks, mask = start_from_damaged_masks(labels, clicks, probability=chance, rngs=[rng])
            sample |= {"damaged_clicks": clicks[0], "damaged_mask": mask[0].byte()}
        return sample

    def join(self, samples: list[Sample]) -> Sample:
        """One tensor of each value; the parts of photos are padded to the largest."""
        joined = {
            name: torch.stack([each[name] for each in samples])
            for name in samples[0]
            if name != "pixels"
        }
        regions = joined["photo"]
        sizes = regions[:, 3:] - regions[:, 1:3]
        if not self.on_device:
            sizes = torch.tensor([each["pixels"].shape[1:] for each in samples])
        height, width = sizes.amax(0).tolist()
        joined["size"] = torch.tensor((height, width))
        joined["matrix"] = _normalised(
            joined["matrix"], self.config.augmentation.crop, (height, width)
        )
        if not self.on_device:
            joined["pixels"] = torch.zeros((len(samples), 3, height, width), dtype=torch.uint8)
            for canvas, sample in zip(joined["pixels"], samples, strict=True):
                _paste(canvas, sample["pixels"])
        return joined


def _clear_outside(maps: NDArray[np.uint8], frame: Box) -> None:
    """Set what lies outside of (top, left, bottom, right) to zero."""
    top, left, bottom, right = frame
    for outside in (
        np.s_[: max(top, 0)],
        np.s_[bottom:],
        np.s_[:, : max(left, 0)],
        np.s_[:, right:],
    ):
        maps[outside] = 0


def _region(matrix: Matrix, photo: tuple[int, ...], size: tuple[int, int]) -> tuple[int, ...]:
    """(top, left, bottom, right) of what a window needs of a photo."""
    ends = np.array([(x, y, 1) for y in (0, size[0] - 1) for x in (0, size[1] - 1)])
    corners = (ends @ matrix.T)[:, ::-1]
    first = np.clip(np.floor(corners.min(0)) - 1, 0, np.array(photo[:2]) - 1)
    last = np.clip(np.ceil(corners.max(0)) + 2, first + 1, photo[:2])
    return tuple(np.concatenate((first, last)).astype(int).tolist())


def _normalised(matrices: Tensor, crop: tuple[int, int], canvas: tuple[int, int]) -> Tensor:
    """Matrices [B, 2, 3] between pixels as `F.affine_grid` has them: edges are at −1 and 1."""
    (height, width), size = crop, torch.tensor((canvas[1], canvas[0]), dtype=torch.float64)
    pixels = torch.tensor(
        ((width / 2, 0, (width - 1) / 2), (0, height / 2, (height - 1) / 2), (0, 0, 1)),
        dtype=torch.float64,
    )
    theta = 2 * (matrices @ pixels) / size[:, None]
    theta[:, :, 2] += 1 / size - 1
    return theta.float()


def _paste(canvas: Tensor, pixels: Tensor) -> None:
    """Put [3, h, w] into the corner of a larger canvas, its last row and column twice."""
    height, width = pixels.shape[1:]
    canvas[:, :height, :width] = pixels
    canvas[:, height : height + 1, :width] = pixels[:, -1:]
    canvas[:, : height + 1, width : width + 1] = canvas[:, : height + 1, width - 1 : width]


class BatchMaker:
    """Makes the batches that `PlanDataset` describes, on `device`; `photos` are those that are
    there, by number, and the pixels of others come with the plan."""

    def __init__(self, config: TrainConfig, device: torch.device) -> None:
        self.config = config
        self.device = device
        self.photos: dict[int, Tensor] = {}

    def __call__(self, plan: Sample) -> Sample:
        """Image float32 [B, 3, h, w], labels [B, 1, h, w], clicks [B, 2K, 3] and, if some samples
        start from a damaged mask, "prev_mask" [B, 1, h, w]; nothing waits for the device."""
        on_host = ("photo", "size", "places")
        here = {
            name: value if name in on_host else value.to(self.device, non_blocking=True)
            for name, value in plan.items()
        }
        codes = here["codes"]
        parts = torch.stack([(codes & bit) > 0 for bit in (FIRST, SECOND)], 1)
        ignored = (codes & IGNORED) > 0
        clicks = first_clicks(
            parts,
            (codes & OTHER) > 0,
            ignored,
            places=here["places"],
            eroded=here["eroded"],
            chances=here["chances"],
            settings=self.config.clicks,
        )
        target = parts.any(1)
        labels = target.float() - (ignored & ~target).float()
        batch = {"image": self._image(here), "labels": labels[:, None], "clicks": clicks}
        if "damaged_mask" in here:
            damaged = (here["damaged_clicks"][..., 2:] >= 0).any(1, keepdim=True)
            batch["clicks"] = torch.where(damaged, here["damaged_clicks"], clicks)
            batch["prev_mask"] = here["damaged_mask"].float()
        return batch

    def _image(self, here: Sample) -> Tensor:
        shape = [len(here["photo"]), 3, *self.config.augmentation.crop]
        grid = F.affine_grid(here["matrix"], shape, align_corners=False)
        image = torch.empty(shape, device=self.device)
        block = max(LARGEST_CANVAS // int(15 * here["size"].prod()), 1)
        for start in range(0, len(image), block):
            part = slice(start, start + block)
            canvas = here["pixels"][part] if "pixels" in here else self._collect(here, part)
            given = canvas.float(), grid[part]
            image[part] = F.grid_sample(*given, "bilinear", "border", align_corners=False)
        image = image.round() * ((here["codes"] & INSIDE) > 0)[:, None]
        colour = here["colour"][:, :, None, None]
        image = image * colour[:, :1] + colour[:, 1:2] + colour[:, 2:]
        return image.clamp(0, 255).floor() / 255

    def _collect(self, here: Sample, part: slice) -> Tensor:
        """What some samples need of the photos that are here."""
        regions = here["photo"][part].tolist()
        shape = (len(regions), 3, *here["size"].tolist())
        canvas = torch.zeros(shape, dtype=torch.uint8, device=self.device)
        for place, (photo, top, left, bottom, right) in enumerate(regions):
            _paste(canvas[place], self.photos[photo][:, top:bottom, left:right])
        return canvas
