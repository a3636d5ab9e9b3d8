"""OpenImages V4 and later: train/ID.jpg, one mask PNG per object, and the list of masks as CSV."""

import csv
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ritm_edge.errors import DatasetError, InputFileError
from ritm_edge.files import existing_file
from ritm_edge.imaging.images import read_mask_file

from ..scene import Photo, Scene, from_masks
from .base import Entry, find_root

FOLDERS = ("OpenImages", "openimages", "OpenImagesV6", "open-images")
LIST = "train-annotations-object-segmentation.csv"
# Masks come in sixteen archives, unpacked together or by the first character of the photo's id.
MASK_FOLDERS = ("train-masks/train-masks-{}", "train-masks-{}", "train-masks", "masks/train")


@dataclass(frozen=True)
class OpenImagesEntry(Entry):
    """A photo with one mask file per object."""

    masks: tuple[str, ...]

    def load(self, rng: np.random.Generator) -> Scene:
        photo = self.photo()
        masks, problems = [], []
        for path in self.masks:
            try:
                mask = _read_mask(path, photo)
            except InputFileError as error:
                problems.append(str(error))
                continue
            if mask.any():
                masks.append(mask)
        return from_masks(photo, masks, problems=problems)


def _read_mask(path: str, photo: Photo) -> NDArray[np.bool_]:
    """bool of the photo's size; the masks were drawn on photos of other sizes."""
    pixels = (read_mask_file(path).labels > 0).astype(np.uint8)
    height, width = photo.shape[:2]
    if pixels.shape != (height, width):
        scaled = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
        return np.asarray(scaled) > 0
    return pixels > 0


def find(root: Path) -> list[OpenImagesEntry]:
    """Photos of the train split with at least one mask, by id. Raises DatasetError: no OpenImages
    here, or a list that cannot be read."""
    folder = find_root(root, FOLDERS, LIST, what="OpenImages")
    by_photo = _read_list(folder / LIST)
    patterns = [
        pattern
        for pattern in MASK_FOLDERS
        if any((folder / pattern.format(first)).is_dir() for first in "0123456789abcdef")
    ]
    if not patterns:
        raise DatasetError(f"no folder {' or '.join(MASK_FOLDERS)} in {folder}: unpack the masks.")
    return [
        OpenImagesEntry(
            "openimages/train",
            str(folder / "train" / f"{identity}.jpg"),
            tuple(str(folder / patterns[0].format(identity[0]) / name) for name in names),
        )
        for identity, names in sorted(by_photo.items())
    ]


def _read_list(path: Path) -> dict[str, list[str]]:
    """Names of the mask files of each photo."""
    found: dict[str, list[str]] = {}
    try:
        with existing_file(path).open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                name, identity = row["MaskPath"], row["ImageID"]
                if not name or not identity or "/" in name or "/" in identity:
                    raise DatasetError(
                        f"{path} has the row {name!r}, {identity!r}: download it again."
                    )
                found.setdefault(identity, []).append(name)
    except (OSError, KeyError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(
            f"{path} is not the list of OpenImages masks ({error!r}): download it again."
        ) from error
    return found
