"""ADE20K (full release): images/**/training/**/NAME.jpg with NAME_seg.png and NAME_parts_*.png."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ritm_edge.errors import DatasetError
from ritm_edge.files import read_file

from ..scene import Scene, from_masks
from .base import Entry, find_root, read_colours

FOLDERS = ("ADE20K", "ade20k", "ADE20K_2016_07_26", "ADE20K_2021_17_01")
MAX_OBJECTS = 5000
MAX_BYTES = 1 << 24
# Names (the first of a list of synonyms) of regions without instances. The release marks none;
# these are the ones that its scene-parsing benchmark counts as stuff and that have no shape.
_STUFF = """
wall sky floor ceiling road grass sidewalk earth ground mountain water sea field sand path river
hill land lake dirt snow
"""
STUFF = frozenset(_STUFF.split())
# "# instance # part level # crop # name # raw name # attributes" of NAME_atr.txt
_ATTRIBUTES = re.compile(r"^\s*(\d{1,9})\s*#\s*(\d{1,9})\s*#[^#]*#\s*([^#,]+)")


@dataclass(frozen=True)
class AdeEntry(Entry):
    """A photo with its levels of annotation: whole objects, then parts, parts of parts…"""

    varies = True
    levels: tuple[str, ...]
    attributes: str

    def load(self, rng: np.random.Generator) -> Scene:
        photo = self.photo()
        level = int(rng.integers(len(self.levels)))
        path = self.levels[level]
        # Blue numbers the instances of the photo; 0 is unlabelled.
        instances = read_colours(path, photo.shape)[..., 2]
        identities = [int(i) for i in np.unique(instances) if i]
        stuff = self._stuff(level)
        return from_masks(
            photo, [instances == i for i in identities], stuff=[i in stuff for i in identities]
        )

    def _stuff(self, level: int) -> set[int]:
        path = Path(self.attributes)
        if not path.is_file():
            return set()
        lines = read_file(path, most=MAX_BYTES).decode("latin-1").splitlines()[:MAX_OBJECTS]
        rows = [match.groups() for line in lines if (match := _ATTRIBUTES.match(line))]
        return {int(i) for i, part, name in rows if int(part) == level and name.strip() in STUFF}


def find(root: Path) -> list[AdeEntry]:
    """Photos of the training split (20,210 in the release of 2016). Raises DatasetError: no ADE20K
    here."""
    folder = find_root(root, FOLDERS, "images", what="ADE20K (full release)") / "images"
    entries = []
    for seg in sorted(folder.rglob("*_seg.png")):
        if "training" not in seg.relative_to(folder).parts:
            continue
        stem = seg.name.removesuffix("_seg.png")
        parts = sorted(seg.parent.glob(f"{stem}_parts_*.png"))
        entries.append(
            AdeEntry(
                "ade20k/training",
                str(seg.with_name(f"{stem}.jpg")),
                tuple(map(str, (seg, *parts))),
                str(seg.with_name(f"{stem}_atr.txt")),
            )
        )
    if not entries:
        raise DatasetError(
            f"no NAME_seg.png of a training folder below {folder}: pass the full release of "
            "ADE20K, not the one of the scene-parsing challenge."
        )
    return entries
