"""Our own layout: ROOT/SET/images/NAME.* with ROOT/SET/masks*/NAME.png (8-bit object ids)."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ritm_edge.errors import DatasetError

from ..scene import Scene, from_label_map
from .base import IMAGE_SUFFIXES, Entry, read_labels


@dataclass(frozen=True)
class LabelMapEntry(Entry):
    """A photo with one label map: 0 background, 1…254 object ids, 255 ignore."""

    labels: str

    def load(self, rng: np.random.Generator) -> Scene:
        photo = self.photo()
        return from_label_map(photo, read_labels(self.labels, photo.shape))


def find(root: Path) -> list[LabelMapEntry]:
    """All photos with a label map; the set's name is "SET/masks".

    Raises:
        DatasetError: there is no pair.
    """
    found: list[LabelMapEntry] = []
    for folder in sorted(root.glob("*/masks*")):
        images = {
            path.stem: path
            for path in sorted((folder.parent / "images").glob("*"))
            if path.suffix.lower() in IMAGE_SUFFIXES
        }
        set_name = f"{folder.parent.name}/{folder.name}"
        for labels in sorted(folder.glob("*.png")):
            if labels.stem in images:
                found.append(LabelMapEntry(set_name, str(images[labels.stem]), str(labels)))
    if not found:
        raise DatasetError(
            f"no training photo in {root}: it must hold SET/images/NAME.jpg and "
            "SET/masks/NAME.png (8-bit object ids)."
        )
    return found
