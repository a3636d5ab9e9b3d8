"""Our own layout: ROOT/SET/images/NAME.* with ROOT/SET/masks*/NAME.*, masks of any kind."""

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ritm_edge.data.base import LeftOut, LeftOutError, paired_files
from ritm_edge.data.folder import read_labels
from ritm_edge.errors import DatasetError, DataWarning

from ..scene import IGNORE, MAX_LABEL, Scene, from_label_map
from .base import Entry, same_size


@dataclass(frozen=True)
class MaskEntry(Entry):
    """A photo with one mask, whose kind decides what it means (`ritm_edge.imaging.mask_kinds`)."""

    labels: str

    def load(self, rng: np.random.Generator) -> Scene:
        photo = self.photo()
        labels = read_labels(Path(self.labels))
        if not (labels > 0).any():
            text = f"{self.labels} has no object in it: remove it with its photo."
            warnings.warn(DataWarning(text), stacklevel=2)
        if labels.max() > MAX_LABEL:
            ids = np.unique(labels[labels > 0])
            if len(ids) > MAX_LABEL:
                raise DatasetError(f"{self.labels} has {len(ids)} objects: leave {MAX_LABEL}.")
            labels = np.where(labels > 0, np.searchsorted(ids, labels) + 1, labels)
        packed = np.where(labels < 0, IGNORE, labels).astype(np.uint8)
        return from_label_map(photo, same_size(packed, self.labels, photo.shape))


def find(root: Path) -> list[MaskEntry]:
    """All photos with a mask; the set's name is "SET/masks". What has no counterpart is left out
    with a `DataWarning`. Raises DatasetError: there is no pair; InputFileError: two photos or two
    masks of one name."""
    found: list[MaskEntry] = []
    left_out = LeftOut()
    for place in sorted(root.glob("[!.]*")):
        images = place / "images"
        folders = [folder for folder in sorted(place.glob("masks*")) if folder.is_dir()]
        if images.is_dir() != bool(folders):
            lonely, missing = (folders[0], "images") if folders else (images, "masks")
            left_out.append(LeftOutError(f"{lonely} has no folder {missing} beside it"))
            continue
        for folder in folders:
            set_name = f"{place.name}/{folder.name}"
            pairs = paired_files(images, folder, left_out, own=True)
            pairs.sort(key=lambda pair: pair[2])
            found += [MaskEntry(set_name, str(photo), str(mask)) for _, photo, mask in pairs]
    left_out.warn()
    if not found:
        raise DatasetError(
            f"no training photo in {root}: it must hold SET/images/NAME.jpg and "
            "SET/masks/NAME.png (8-bit object ids)."
        )
    return found
