"""The photos that COCO and LVIS share, and how the masks of each are read."""

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ritm_edge.errors import DatasetError
from ritm_edge.imaging.images import MAX_PIXELS

from ..datasets.coco import find_folder, read_instances
from ..datasets.lvis import annotation_file, photo_name
from ..datasets.panoptic import Segment, read_panoptic, read_segment_ids
from ..datasets.run_lengths import decode, polygons_of, to_rle
from ..scene import Mask
from .rule import Rule, fill_polygons

SPLITS = {"train": "train2017", "val": "val2017"}


@dataclass(frozen=True)
class CocoMasks:
    """What COCO says about one photo: masks bool [H, W], and annotations that cannot be read."""

    shape: tuple[int, int]
    things: list[Mask]
    stuff: list[Mask]
    problems: list[str]


@dataclass(frozen=True)
class Job(ABC):
    """One photo to merge, by its name without suffix; `lvis` is as `InstancesEntry.annotations`."""

    name: str
    lvis: bytes
    rule: str

    @abstractmethod
    def read_coco(self) -> CocoMasks:
        """COCO's masks. Raises InputFileError: they cannot be read at all."""

    def read_lvis(self, shape: tuple[int, int]) -> tuple[list[Mask], list[str]]:
        """LVIS's masks, bool [H, W], and what is wrong with others."""
        masks, problems = [], []
        for identity, _, segmentation in json.loads(self.lvis):
            try:
                polygons = [np.reshape(p, (-1, 2)) for p in polygons_of(segmentation)]
                masks.append(fill_polygons(polygons, shape))
            except (ValueError, TypeError) as error:
                problems.append(f"annotation {identity} of LVIS for {self.name}: {error}")
        return masks, problems


@dataclass(frozen=True)
class PanopticJob(Job):
    """With COCO's panoptic annotation, as published."""

    segment_map: str
    segments: tuple[Segment, ...]

    def read_coco(self) -> CocoMasks:
        ids = read_segment_ids(Path(self.segment_map), None)
        things = [ids == segment.identity for segment in self.segments if not segment.stuff]
        stuff = [ids == segment.identity for segment in self.segments if segment.stuff]
        return CocoMasks((ids.shape[0], ids.shape[1]), things, stuff, [])


@dataclass(frozen=True)
class InstancesJob(Job):
    """With COCO's instance annotations: no stuff."""

    size: tuple[Any, Any]
    coco: bytes

    def read_coco(self) -> CocoMasks:
        height, width = self.size
        whole = isinstance(height, int) and isinstance(width, int)
        if not whole or min(height, width) < 1 or height * width > MAX_PIXELS:
            raise DatasetError(f"{self.name} has no usable size in COCO's annotations: {self.size}")
        things, problems = [], []
        for identity, _, segmentation in json.loads(self.coco):
            try:
                things.append(decode(to_rle(segmentation, height, width)))
            except DatasetError as error:
                problems.append(f"annotation {identity} of COCO for {self.name}: {error}")
        return CocoMasks((height, width), things, [], problems)


def find_jobs(split: str, *, coco: Path, lvis: Path, rule: Rule) -> list[Job]:
    """Photos of the split with annotations of both, by name: COCO's panoptic annotations where they
    are there, its instances otherwise. Raises DatasetError: a data set is not there, its
    annotations cannot be read, or no photo is in both."""
    folder = find_folder(coco)
    path = annotation_file(lvis, split)
    images, annotations = read_instances(path)
    photos = SPLITS[split]
    ours = {
        Path(name).stem: held
        for i, held in annotations.items()
        if (name := photo_name(images[i])).startswith(f"{photos}/")
    }
    if (folder / "annotations" / f"panoptic_{photos}.json").exists():
        jobs = _panoptic_jobs(folder, photos, ours, rule)
    else:
        jobs = _instances_jobs(folder, photos, ours, rule)
    if not jobs:
        raise DatasetError(
            f"no photo of {photos} has annotations both in {folder} and in {path}: check that "
            "both are complete."
        )
    return sorted(jobs, key=lambda job: job.name)


def _panoptic_jobs(folder: Path, photos: str, ours: dict[str, bytes], rule: Rule) -> list[Job]:
    maps = folder / "annotations" / f"panoptic_{photos}"
    return [
        PanopticJob(stem, ours[stem], rule.name, str(maps / name), segments)
        for stem, name, segments in read_panoptic(folder, photos)
        if stem in ours
    ]


def _instances_jobs(folder: Path, photos: str, ours: dict[str, bytes], rule: Rule) -> list[Job]:
    images, annotations = read_instances(folder / "annotations" / f"instances_{photos}.json")
    jobs: list[Job] = []
    for identity, image in images.items():
        stem = Path(str(image.get("file_name"))).stem
        if stem in ours:
            size = (image.get("height"), image.get("width"))
            held = annotations.get(identity, b"[]")
            jobs.append(InstancesJob(stem, ours[stem], rule.name, size, held))
    return jobs
