"""Pascal VOC 2012, val: one sample per object; the contours between objects are ignored."""

from pathlib import Path

from .base import Counts, Raise, Sample, report_by_raising
from .instances import folder_with, instance_samples, read_grey, read_names

BENCHMARK = "PascalVOC"
ZOOM_TARGET = 400
LAYOUT = ("JPEGImages", "SegmentationObject", "ImageSets/Segmentation/val.txt")
PUBLISHED = Counts(photos=1449, objects=3417)
# Where the devkit has these folders.
BELOW = ("VOC2012", "VOCdevkit/VOC2012")
IGNORED = 220  # grey of (224, 224, 192), the palette's last colour


def find_samples(root: Path, report: Raise = report_by_raising) -> list[Sample]:
    """See `open_benchmark`."""
    root = folder_with(root, LAYOUT[0], *BELOW)
    samples: list[Sample] = []
    for name in read_names(root / "ImageSets" / "Segmentation" / "val.txt"):
        samples += instance_samples(
            name,
            root / "JPEGImages" / f"{name}.jpg",
            root / "SegmentationObject" / f"{name}.png",
            read_grey,
            IGNORED,
            report,
        )
    return samples
