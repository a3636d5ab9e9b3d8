"""SBD (Semantic Boundaries): img/NAME.jpg, inst/NAME.mat and train.txt of its release."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ritm_edge.data.instances import read_mat, read_names

from ..scene import Scene, from_label_map
from .base import Entry, find_root, same_size

RELEASE = "benchmark_RELEASE/dataset"  # where the archive has img and inst
FOLDERS = ("SBD", "sbd", "SBD/dataset", "dataset", RELEASE, f"SBD/{RELEASE}", f"sbd/{RELEASE}")


@dataclass(frozen=True)
class SbdEntry(Entry):
    """A photo with the instance map of a .mat file."""

    instances: str

    def load(self, rng: np.random.Generator) -> Scene:
        photo = self.photo()
        labels = read_mat(Path(self.instances))
        return from_label_map(photo, same_size(labels, self.instances, photo.shape))


def find_folder(root: Path) -> Path:
    """Where img/, inst/ and the lists are."""
    return find_root(root, FOLDERS, "inst", what="SBD")


def find(root: Path, *, splits: tuple[str, ...] = ("train",)) -> list[SbdEntry]:
    """Photos of the given lists (train.txt: 8,498). Raises DatasetError: no SBD here, or a list
    that cannot be read."""
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
