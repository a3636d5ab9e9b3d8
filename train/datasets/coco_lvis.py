"""COCO+LVIS (section 4.2), as `ritm-edge data combine-coco-lvis` made it, with COCO's photos."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ritm_edge.errors import DatasetError

from ..coco_lvis.store import read_annotation, read_names
from ..scene import Scene, SceneObject
from .base import Entry, find_root
from .coco import FOLDERS as COCO_FOLDERS
from .run_lengths import decode

FILE = "coco_lvis_train.sqlite"
FOLDERS = ("coco_lvis", "COCO_LVIS", "COCO+LVIS", *COCO_FOLDERS)
PHOTOS = "train2017"


@dataclass(frozen=True)
class CocoLvisEntry(Entry):
    """A photo whose masks are in the combined file, under its name."""

    masks: str

    def load(self, rng: np.random.Generator) -> Scene:
        photo = self.photo()
        held = read_annotation(Path(self.masks), Path(self.image).stem)
        size = (held.height, held.width)
        if photo.shape[:2] != size:
            raise DatasetError(
                f"{self.image} is {photo.shape[0]}x{photo.shape[1]}, its masks are "
                f"{size[0]}x{size[1]}: download the photo again."
            )
        depth = 1 + max((layer for layer, _ in held.places), default=0)
        layers = np.zeros((*size, depth), np.uint8)
        for counts, (layer, label) in zip(held.masks, held.places, strict=True):
            mask = decode({"size": list(size), "counts": counts})
            layers[..., layer][mask] = label
        objects = [
            SceneObject(layer, label, parent)
            for (layer, label), parent in zip(held.places, held.parents, strict=False)
        ]
        stuff = [SceneObject(*place, stuff=True) for place in held.places[held.instances :]]
        return Scene(photo, layers, (*objects, *stuff))


def find(root: Path) -> list[CocoLvisEntry]:
    """Photos of train2017 with masks of both data sets. Raises DatasetError: not combined yet, or
    no photos here."""
    try:
        path = find_root(root, FOLDERS, FILE, what="combined COCO+LVIS") / FILE
    except DatasetError as error:
        raise DatasetError(
            f"{error} Make it with ritm-edge data combine-coco-lvis --data-root {root}."
        ) from error
    photos = find_root(root, COCO_FOLDERS, PHOTOS, what="COCO 2017") / PHOTOS
    return [
        CocoLvisEntry("coco-lvis/train", str(photos / f"{name}.jpg"), str(path))
        for name in read_names(path)
    ]
