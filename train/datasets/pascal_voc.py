"""Pascal VOC 2012: JPEGImages, SegmentationObject and ImageSets/Segmentation of its devkit."""

from pathlib import Path

from ritm_edge.data.instances import read_names

from .base import find_root
from .folder import MaskEntry

FOLDERS = ("VOC2012", "VOCdevkit/VOC2012", "PascalVOC", "pascal_voc", "PascalVOC/VOC2012")
LISTS = "ImageSets/Segmentation"


def find_folder(root: Path) -> Path:
    """Where JPEGImages and the lists are."""
    return find_root(root, FOLDERS, LISTS, what="Pascal VOC 2012")


def find(root: Path, *, split: str = "train") -> list[MaskEntry]:
    """Photos of a list (train: 1,464); the palette's last entry, the contours, is ignored. Raises
    DatasetError: no Pascal VOC here, or a list that cannot be read."""
    folder = find_folder(root)
    return [
        MaskEntry(
            f"pascal-voc/{split}",
            str(folder / "JPEGImages" / f"{name}.jpg"),
            str(folder / "SegmentationObject" / f"{name}.png"),
        )
        for name in read_names(folder / LISTS / f"{split}.txt")
    ]
