"""LVIS v1: lvis_v1_train.json and the photos of COCO 2017.

The file is in COCO's format, so pycocotools reads its masks; the lvis package would add nothing
but matplotlib.
"""

from pathlib import Path
from typing import Any

from ritm_edge.errors import DatasetError

from .base import Entry, find_root
from .coco import FOLDERS as COCO_FOLDERS
from .coco import InstancesEntry, read_instances

FOLDERS = ("LVIS", "lvis", "LVIS_v1", "lvis_v1", *COCO_FOLDERS)
FILES = ("lvis_v1_{}.json", "annotations/lvis_v1_{}.json")


def annotation_file(root: Path, split: str) -> Path:
    """lvis_v1_train.json or lvis_v1_val.json. Raises DatasetError: it is nowhere."""
    for name in FILES:
        probe = name.format(split)
        try:
            return find_root(root, FOLDERS, probe, what="LVIS v1") / probe
        except DatasetError as error:
            problem = error
    raise problem


def photo_name(image: dict[str, Any]) -> str:
    """Folder and name of the photo: LVIS takes from all splits of COCO, and its URL tells which.

    An entry without one gets a name that does not exist, and so is counted as broken later.
    """
    parts = str(image.get("coco_url", "")).split("/")
    if len(parts) < 2 or not parts[-1] or ".." in parts[-2:]:
        return f"no-coco-url/image-{image.get('id')}"
    return "/".join(parts[-2:])


def find(root: Path) -> list[Entry]:
    """Photos of the train split with at least one mask (v1: 100,170 images are listed). Raises
    DatasetError: no LVIS v1 or no photos here, or annotations that cannot be read."""
    path = annotation_file(root, "train")
    images, annotations = read_instances(path)
    names = {i: photo_name(image) for i, image in sorted(images.items()) if i in annotations}
    if not names:
        return []
    folder = next(iter(names.values())).split("/")[0]
    near = [str(parent) for parent in (path.parent, path.parent.parent)]
    photos = find_root(root, (*near, *FOLDERS), folder, what="photos of LVIS (COCO 2017)")
    return [
        InstancesEntry("lvis/v1_train", str(photos / name), annotations[i])
        for i, name in names.items()
    ]
