"""SBD (Semantic Boundaries): img/NAME.jpg, inst/NAME.mat and train.txt of its release."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ritm_edge.data.instances import read_mat
from ritm_edge.errors import DatasetError, InputFileError

from ..scene import MAX_LABEL, Scene, from_label_map
from .base import Entry, find_root, read_names

FOLDERS = ("SBD", "sbd", "SBD/dataset", "benchmark_RELEASE/dataset", "dataset")
FOLDERS_OF_RELEASE = ("SBD/benchmark_RELEASE/dataset",)


@dataclass(frozen=True)
class SbdEntry(Entry):
    """A photo with the instance map of a .mat file."""

    instances: str

    def load(self, rng: np.random.Generator) -> Scene:
        photo = self.photo()
        labels = read_instances(Path(self.instances))
        if labels.shape != photo.shape[:2]:
            raise DatasetError(
                f"{self.instances} is {labels.shape[0]}x{labels.shape[1]}, its photo "
                f"{photo.shape[0]}x{photo.shape[1]}: download both again."
            )
        return from_label_map(photo, labels)


def read_instances(path: Path) -> NDArray[np.uint8]:
    """The instance map of one file: 0 background, 1… instances.

    Raises:
        DatasetError: missing, damaged, or without an instance map.
    """
    try:
        labels = read_mat(path)
    except InputFileError as error:
        raise DatasetError(str(error)) from error
    if labels.max(initial=0) > MAX_LABEL:
        raise DatasetError(f"{path} has more than {MAX_LABEL} instances: download it again.")
    return labels


def find_folder(root: Path) -> Path:
    """Where img/, inst/ and the lists are."""
    return find_root(root, (*FOLDERS, *FOLDERS_OF_RELEASE), "inst", what="SBD")


def find(root: Path, *, splits: tuple[str, ...] = ("train",)) -> list[SbdEntry]:
    """Photos of the given lists (train.txt: 8,498).

    Raises:
        DatasetError: no SBD here, or a list that cannot be read.
    """
    folder = find_folder(root)
    names = [name for split in splits for name in read_names(folder / f"{split}.txt")]
    return [
        SbdEntry(
            f"sbd/{'+'.join(splits)}",
            str(folder / "img" / f"{name}.jpg"),
            str(folder / "inst" / f"{name}.mat"),
        )
        for name in names
    ]
