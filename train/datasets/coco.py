"""COCO 2017: train2017/ and annotations/, panoptic (as published) or instances."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ritm_edge.errors import DatasetError
from ritm_edge.optional import require

from ..scene import Scene, from_masks
from .base import Entry, find_root, read_json
from .panoptic import find_panoptic
from .run_lengths import decode, to_rle

FOLDERS = ("COCO", "coco", "COCO2017", "coco2017", "MSCOCO")
SPLIT = "train2017"


@dataclass(frozen=True)
class InstancesEntry(Entry):
    """A photo with polygons or run lengths: a JSON list of [id, is it a crowd, segmentation]. Text,
    since a million small objects would be copied into every data-loading process by their reference
    counts."""

    annotations: bytes

    def load(self, rng: np.random.Generator) -> Scene:
        photo = self.photo()
        height, width = photo.shape[:2]
        masks, problems = [], []
        ignored = np.zeros((height, width), bool)
        for identity, crowd, segmentation in json.loads(self.annotations):
            try:
                mask = decode(to_rle(segmentation, height, width))
            except DatasetError as error:
                problems.append(f"annotation {identity} of {self.image}: {error}")
                continue
            # A crowd is many objects under one mask: neither an object nor background.
            if crowd:
                ignored |= mask
            elif mask.any():
                masks.append(mask)
        return from_masks(
            photo, masks, ignored=ignored if ignored.any() else None, problems=problems
        )


def find(root: Path) -> list[Entry]:
    """Photos of train2017; from the panoptic annotations where they are there (objects and stuff,
    as published), otherwise from the instances. Raises DatasetError: no COCO here, or annotations
    that cannot be read."""
    folder = find_folder(root)
    if (folder / "annotations" / f"panoptic_{SPLIT}.json").exists():
        return [*find_panoptic(folder, SPLIT)]
    path = folder / "annotations" / f"instances_{SPLIT}.json"
    images, annotations = read_instances(path)
    entries: list[Entry] = []
    for identity, image in sorted(images.items()):
        held = annotations.get(identity)
        if held:
            photo = folder / SPLIT / str(image.get("file_name", f"image {identity}"))
            entries.append(InstancesEntry(f"coco/instances_{SPLIT}", str(photo), held))
    return entries


def find_folder(root: Path) -> Path:
    """Where train2017 and annotations are."""
    return find_root(root, FOLDERS, SPLIT, what="COCO 2017")


def read_instances(path: Path) -> tuple[dict[int, dict[str, Any]], dict[int, bytes]]:
    """Images by id, and the annotations of each as `InstancesEntry` keeps them. Raises
    DatasetError: missing, or not in COCO's format as a whole; single annotations are judged when
    their photo is loaded."""
    content = read_json(path)
    images, annotations = content.get("images"), content.get("annotations")
    if not isinstance(images, list) or not isinstance(annotations, list):
        raise DatasetError(f"{path} has no lists 'images' and 'annotations': download it again.")
    by_id = {image["id"]: image for image in images if isinstance(image, dict) and "id" in image}
    grouped: dict[int, list[Any]] = {}
    for annotation in annotations:
        if isinstance(annotation, dict) and annotation.get("image_id") in by_id:
            row = [annotation.get("id"), bool(annotation.get("iscrowd"))]
            grouped.setdefault(annotation["image_id"], []).append(
                [*row, annotation.get("segmentation")]
            )
    to_json = require("pydantic_core", extra="train").to_json  # a million lists: json is slow
    return by_id, {identity: to_json(rows) for identity, rows in grouped.items()}
