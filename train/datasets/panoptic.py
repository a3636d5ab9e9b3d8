"""COCO's panoptic annotations: one PNG per photo whose colours are segment ids."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ritm_edge.errors import DatasetError

from ..scene import Scene, from_masks
from .base import Entry, read_colours, read_json


@dataclass(frozen=True)
class Segment:
    """One segment: its id in the map, whether it is stuff, whether it is a crowd."""

    identity: int
    stuff: bool
    crowd: bool


@dataclass(frozen=True)
class PanopticEntry(Entry):
    """A photo with its segment map."""

    segment_map: str
    segments: tuple[Segment, ...]

    def load(self, rng: np.random.Generator) -> Scene:
        photo = self.photo()
        identities = read_segment_ids(Path(self.segment_map), photo.shape)
        crowd = [s.identity for s in self.segments if s.crowd]
        kept = [s for s in self.segments if not s.crowd]
        ignored = np.isin(identities, crowd) if crowd else None
        masks = [identities == segment.identity for segment in kept]
        missing = [s.identity for s, m in zip(kept, masks, strict=True) if not m.any()]
        problems = [f"segment {identity} is not in {self.segment_map}" for identity in missing]
        there = [(m, s.stuff) for s, m in zip(kept, masks, strict=True) if m.any()]
        return from_masks(
            photo,
            [mask for mask, _ in there],
            stuff=[stuff for _, stuff in there],
            ignored=ignored,
            problems=problems,
        )


def read_segment_ids(path: Path, shape: tuple[int, ...] | None) -> NDArray[np.int32]:
    """Ids of a panoptic PNG, red + 256 green + 65536 blue, int32 [H, W]. Raises InputFileError:
    missing, damaged, or of another size."""
    return read_colours(path, shape).astype(np.int32) @ np.array([1, 256, 65536], np.int32)


def read_panoptic(folder: Path, split: str) -> list[tuple[str, str, tuple[Segment, ...]]]:
    """Stem of the photo, file name of the map, and the segments of each annotation. Raises
    DatasetError: the JSON file is missing or not in the panoptic format."""
    path = folder / "annotations" / f"panoptic_{split}.json"
    content = read_json(path)
    try:
        things = {category["id"]: bool(category["isthing"]) for category in content["categories"]}
        return [_row(annotation, things) for annotation in content["annotations"]]
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(
            f"{path} is not in COCO's panoptic format ({error!r}): download it again."
        ) from error


def _row(annotation: Any, things: dict[int, bool]) -> tuple[str, str, tuple[Segment, ...]]:
    segments = tuple(
        Segment(int(info["id"]), not things[info["category_id"]], bool(info.get("iscrowd")))
        for info in annotation["segments_info"]
    )
    name = str(annotation["file_name"])
    return Path(name).stem, name, segments


def find_panoptic(folder: Path, split: str) -> list[PanopticEntry]:
    """Photos of one split, in the order of their names; errors as `read_panoptic`."""
    maps = folder / "annotations" / f"panoptic_{split}"
    return [
        PanopticEntry(
            f"coco/panoptic_{split}",
            str(folder / split / f"{stem}.jpg"),
            str(maps / name),
            segments,
        )
        for stem, name, segments in sorted(read_panoptic(folder, split))
    ]
