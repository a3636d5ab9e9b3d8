"""Our own layout: `images/NAME.*` and `masks/NAME.png`, 8-bit label maps, one sample per object."""

from pathlib import Path

from .base import Raise, Sample, paired_files, report_by_raising
from .instances import instance_samples, read_label_map

BENCHMARK = "Folder"
ZOOM_TARGET = 400
LAYOUT = ("images", "masks")
PUBLISHED = None
IGNORED = 255


def find_samples(root: Path, report: Raise = report_by_raising) -> list[Sample]:
    """See `open_benchmark`: 0 background, 1…254 objects, 255 ignored."""
    samples: list[Sample] = []
    for stem, image, labels in paired_files(root / "images", root / "masks", report):
        samples += instance_samples(stem, image, labels, read_label_map, IGNORED, report)
    return samples
