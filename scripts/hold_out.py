"""Splits training photos: about every twentieth is held out, to compare recipes.

`python scripts/hold_out.py PHOTOS FIT HELD SET/MASKS …` links the photos of PHOTOS/SET/images with
their masks into FIT or HELD, and those of HELD that are in one of the named folders of masks also
into HELD/sample/{images,masks}, which `ritm-edge bench noc --data Folder=HELD/sample` reads.
"""

import sys
import zlib
from pathlib import Path

PART, PARTS = 7, 20


def is_held(set_name: str, photo: Path) -> bool:
    """Decided by the names alone, so that it is the same everywhere."""
    return zlib.crc32(repr((set_name, photo.stem)).encode()) % PARTS == PART


def link(target: Path, place: Path) -> None:
    """A link at `place`, unless it is there."""
    place.parent.mkdir(parents=True, exist_ok=True)
    if not place.is_symlink():
        place.symlink_to(target.resolve())


def split(photos: Path, fit: Path, held: Path, sampled: list[str]) -> dict[str, int]:
    """Link everything; how many photos went where."""
    counts = {"fit": 0, "held": 0}
    for folder in sorted(photos.glob("*/masks*")):
        set_name = folder.parent.name
        for photo in sorted((folder.parent / "images").iterdir()):
            mask = folder / f"{photo.stem}.png"
            if not mask.is_file():
                continue
            aside = is_held(set_name, photo)
            counts["held" if aside else "fit"] += 1
            root = held if aside else fit
            link(photo, root / set_name / "images" / photo.name)
            link(mask, root / set_name / folder.name / mask.name)
            if aside and f"{set_name}/{folder.name}" in sampled:
                link(photo, held / "sample" / "images" / f"{set_name}_{photo.name}")
                link(mask, held / "sample" / "masks" / f"{set_name}_{mask.name}")
    return counts


if __name__ == "__main__":
    root, fit, held = map(Path, sys.argv[1:4])
    print(split(root, fit, held, sys.argv[4:]))
