"""Pascal VOC with SBD: the 10,582 photos that are commonly called the augmented training set."""

from pathlib import Path

from ritm_edge.data.instances import read_names

from . import pascal_voc, sbd
from .base import Entry


def find(root: Path) -> list[Entry]:
    """Photos of Pascal VOC's train list, then those of SBD (train and val) that are in neither of
    Pascal VOC's lists: its own masks are the finer ones, and its val list stays unseen. Raises
    DatasetError: one of the two is not here, or a list cannot be read."""
    lists = pascal_voc.find_folder(root) / pascal_voc.LISTS
    own = {name for split in ("train", "val") for name in read_names(lists / f"{split}.txt")}
    added = sbd.find(root, splits=("train", "val"))
    return [
        *pascal_voc.find(root),
        *(entry for entry in added if Path(entry.image).stem not in own),
    ]
